# SPDX-License-Identifier: BSD-3-Clause
"""The Python frame in which a request runs. Functions that need their caller's frame find it.

With the classic service its globals and its locals are the namespace of the connection.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    build_setting,
    command,
    debuggee_environment,
    order,
    pystuck,
    run_python,
    tell,
    wait_until,
)
from rawpeer import REPLY, VALUE, Handler, box, give_thing, raw_connect
from rpyc.core import consts

Connect = Callable[[Debuggee], Any]

#: For the fixture `lasting`: these tests keep frames of the program, so leaks cannot be checked.
LOOKS_AT_FRAMES = True


@pytest.fixture
def client(ours: Debuggee, connect: Connect) -> Any:
    """A stock client with an x in its namespace."""
    made = connect(ours)
    made.execute("x = 1")
    return made


# ---- The namespace -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["globals", "locals", "vars"])
def test_the_frame_of_a_request_has_the_namespace(client: Any, name: str) -> None:
    found = getattr(client.builtins, name)()
    assert found is client.namespace
    assert found["x"] == 1


def test_code_without_a_namespace_of_its_own_runs_in_the_clients(client: Any) -> None:
    assert "x" in client.builtins.dir()
    assert client.builtins.eval("x + 1") == 2
    client.builtins.exec("y = x + 2")
    assert client.namespace["y"] == 3
    assert client.builtins.eval("y", client.builtins.dict(y=5)) == 5
    assert client.builtins.__import__("os").getpid() > 0


def test_the_namespaces_of_clients_are_their_own(
    ours: Debuggee, client: Any, connect: Connect
) -> None:
    other = connect(ours)
    other.builtins.exec("x = 2")
    assert (client.builtins.eval("x"), other.builtins.eval("x")) == (1, 2)


def test_a_namespace_that_was_emptied_does_for_imports(client: Any) -> None:
    client.namespace.clear()
    # PyImport_ImportModule, and so the C function, looks for __builtins__ in the frame's globals.
    assert client.modules.time.strptime("2020", "%Y").tm_year == 2020
    assert client.builtins.eval("1 + 1") == 2


def test_the_prompt_finds_its_names_in_the_frame(ours: Debuggee) -> None:
    for options in ([], ["--no-exec"]):
        lines = ["modules['builtins'].globals().__class__", "modules['builtins'].eval('1 + 1')"]
        if not options:
            lines += ["precious = 5", "modules['builtins'].globals()['precious']"]
            lines += ["'precious' in modules['builtins'].dir()"]
        codes = [part for line in lines for part in ("-c", line)]
        done = pystuck("--no-stacks", *options, "--port", ours.port, *codes)
        expected = ["<class 'dict'>", "2"] + (["5", "True"] if not options else [])
        assert (done.stdout.splitlines(), done.stderr) == (expected, "")


# ---- The frame -----------------------------------------------------------------------------------


def test_the_frame_says_what_it_is(client: Any) -> None:
    frame = client.modules.sys._getframe()
    assert (frame.f_code.co_name, frame.f_code.co_filename) == ("request", "<pystuck>")
    assert frame.f_globals is client.namespace
    assert frame.f_locals is client.namespace
    assert frame.f_back is None
    with pytest.raises(ValueError, match="not deep enough"):
        client.modules.sys._getframe(1)
    assert [each.function for each in client.modules.inspect.stack()] == ["request"]
    assert client.modules.inspect.currentframe().f_code.co_name == "request"


#: Calls that look for a frame, and the exception that Python itself raises for them, or None.
LOOKING = {
    "builtins.super()": "RuntimeError",
    "builtins.vars(5)": "TypeError",
    "warnings.warn('x', builtins.ResourceWarning)": None,
    "warnings.warn('x', builtins.ResourceWarning, 2)": None,
    "warnings.warn('x', builtins.ResourceWarning, 100)": None,
    "logging.getLogger('unused').debug('x')": None,
    "traceback.extract_stack()": None,
    "traceback.format_stack()": None,
    "inspect.trace()": None,
    "sys.exc_info()": None,
    "sys.settrace(None)": None,
    "collections.namedtuple('N', 'a b')": None,
    "enum.Enum('E', 'a b')": None,
    "typing.NewType('T', builtins.int)": None,
    "builtins.type('T', (), builtins.dict())": None,
    "builtins.compile('1', 'f', 'eval')": None,
}


@pytest.mark.parametrize("call", LOOKING)
def test_what_looks_for_a_frame_finds_one(client: Any, call: str) -> None:
    names = {name: client.modules[name] for name in ("builtins", call.partition(".")[0])}
    if call.startswith("warnings"):  # a debug build of Python shows ResourceWarnings
        names["warnings"].simplefilter("ignore", client.builtins.ResourceWarning)
    try:
        eval(call, names)
    except Exception as error:
        assert type(error).__name__ == LOOKING[call]
    else:
        assert LOOKING[call] is None


def test_what_fails_in_c_shows_no_frame_in_its_traceback(client: Any) -> None:
    with pytest.raises(ValueError) as caught:
        client.builtins.int("no number")
    assert "<pystuck>" not in str(caught.value)


#: Objects whose methods record the function that called them.
NOTING = """
import sys
callers = {}
def note(kind):
    callers[kind] = sys._getframe(2).f_code.co_name
class Meta(type):
    def __instancecheck__(cls, other):
        note("INSTANCECHECK")
        return False
class Thing(metaclass=Meta):
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        note("GETATTR")
    def __setattr__(self, name, value): note("SETATTR")
    def __delattr__(self, name): note("DELATTR")
    def __call__(self): note("CALL")
    def method(self): note("CALLATTR")
    def __repr__(self): note("REPR"); return ""
    def __str__(self): note("STR"); return ""
    def __lt__(self, other): note("CMP"); return True
    def __hash__(self): note("HASH"); return 5
    def __dir__(self): note("DIR"); return []
    def __reduce_ex__(self, protocol): note("PICKLE"); return (int, ())
    def __del__(self): note("DEL")
    def __iter__(self): return self
    def __next__(self): note("BUFFITER"); raise StopIteration
    def __getitem__(self, key): note("OLDSLICING")
    def __exit__(self, *error): note("CTXEXIT")
class Doc:
    @property
    def __doc__(self): note("INSPECT")
    def __get__(self, obj, cls): return self
    def __call__(self): pass
class Documented:
    documented = Doc()
class Shown:
    @property
    def __class__(self): note("boxing"); return Thing
class Failed(Exception):
    @property
    def public(self): note("exception"); return 5
def fail(): raise Failed
"""

#: How a client makes the server call them, by requests of each kind.
REQUESTS: dict[str, Callable[[Any, Any], object]] = {
    "GETATTR": lambda c, thing: c.sync_request(consts.HANDLE_GETATTR, thing, "anything"),
    "SETATTR": lambda c, thing: c.sync_request(consts.HANDLE_SETATTR, thing, "a", 5),
    "DELATTR": lambda c, thing: c.sync_request(consts.HANDLE_DELATTR, thing, "a"),
    "CALL": lambda c, thing: c.sync_request(consts.HANDLE_CALL, thing, (), ()),
    "CALLATTR": lambda c, thing: c.sync_request(consts.HANDLE_CALLATTR, thing, "method", (), ()),
    "REPR": lambda c, thing: c.sync_request(consts.HANDLE_REPR, thing),
    "STR": lambda c, thing: c.sync_request(consts.HANDLE_STR, thing),
    "CMP": lambda c, thing: c.sync_request(consts.HANDLE_CMP, thing, thing, "__lt__"),
    "HASH": lambda c, thing: c.sync_request(consts.HANDLE_HASH, thing),
    "DIR": lambda c, thing: c.sync_request(consts.HANDLE_DIR, thing),
    "PICKLE": lambda c, thing: c.sync_request(consts.HANDLE_PICKLE, thing, 2),
    "BUFFITER": lambda c, thing: c.sync_request(consts.HANDLE_BUFFITER, thing, 1),
    "OLDSLICING": lambda c, thing: c.sync_request(
        consts.HANDLE_OLDSLICING, thing, "__getitem__", "__getslice__", 1, 2, ()
    ),
    "CTXEXIT": lambda c, thing: c.sync_request(consts.HANDLE_CTXEXIT, thing, None),
    "INSTANCECHECK": lambda c, thing: c.sync_request(
        consts.HANDLE_INSTANCECHECK, c.namespace["Thing"], c.namespace.____id_pack__
    ),
    "INSPECT": lambda c, thing: c.eval("Documented()"),
    "boxing": lambda c, thing: c.eval("Shown()"),
    "exception": lambda c, thing: pytest.raises(Exception, c.namespace["fail"]),  # noqa: B017
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_of_every_kind_has_a_frame(client: Any, kind: str) -> None:
    client.execute(NOTING)
    REQUESTS[kind](client, client.eval("Thing()"))
    assert client.eval(f"callers[{kind!r}]") == "request"


def test_what_a_client_gives_back_ends_in_a_frame(client: Any) -> None:
    client.execute(NOTING)
    thing = client.eval("Thing()")
    del thing
    wait_until(lambda: client.eval("callers.get('DEL')") == "request", "__del__ to be called")


def test_what_a_client_leaves_behind_ends_in_a_frame(
    ours: Debuggee, client: Any, connect: Connect
) -> None:
    client.execute(NOTING)
    leaving = connect(ours)
    leaving.namespace["callers"] = client.eval("callers")  # a copy of the reference
    thing = client.builtins.eval("Thing()")
    leaving.execute("held = []")
    leaving.namespace["held"].append(thing)
    del thing
    leaving.close()
    wait_until(lambda: client.eval("callers.get('DEL')") == "request", "__del__ to be called")


#: Methods in C, which have no frame of their own.
WITHOUT_FRAMES = {
    "__getattr__ = eval": ("thing.x", 1),
    "__call__ = staticmethod(globals)": ("thing()", None),
    "__repr__ = dir": ("repr(thing)", "TypeError"),
    "__repr__ = globals": ("repr(thing)", "TypeError"),
    "__str__ = locals": ("str(thing)", "TypeError"),
    "__hash__ = vars": ("hash(thing)", "TypeError"),
    "__dir__ = dir": ("dir(thing)", None),
    "__iter__ = super": ("c.builtins.iter(thing)", "RuntimeError"),
    "__exit__ = exec": ("thing.__exit__(None, None, None)", "TypeError"),
    "__lt__ = eval": ("thing < 'x'", "TypeError"),
    "__class__ = property(globals)": ("thing", "TypeError"),
    "__getattribute__ = staticmethod(globals)": ("thing.x", "TypeError"),
    "__del__ = globals": ("c.namespace.pop('thing')", None),
    "p = property(super)": ("thing.p", "TypeError"),
}


@pytest.mark.parametrize("method", WITHOUT_FRAMES)
def test_methods_in_c_find_a_frame(client: Any, method: str) -> None:
    expression, expected = WITHOUT_FRAMES[method]
    client.execute(f"class T:\n    {method}\nthing = T()")
    try:
        thing = None if "pop" in expression else client.namespace["thing"]
        found = eval(expression, {"c": client, "thing": thing})
    except Exception as error:
        assert type(error).__name__ == expected
    else:
        assert expected in (None, found)
    assert client.eval("1 + 1") == 2


def test_a_client_that_finds_the_function_cannot_call_it(client: Any) -> None:
    client.execute(
        "import gc\n"
        "found = [f for f in gc.get_objects() if type(f).__name__ == 'function'\n"
        "         and f.__code__.co_filename == '<pystuck>']"
    )
    assert client.eval("len(found)") > 0
    for function in client.namespace["found"]:
        with pytest.raises(RuntimeError, match="only pystuck can call this"):
            function()
    client.execute("found.clear()")


def test_the_code_of_the_frame_leaves_nothing_for_the_garbage_collector() -> None:
    code = (
        "import gc; gc.disable()\n"
        "import pystuck\n"
        "server = pystuck.run_server(port=0)\n"
        "found = [f for f in gc.get_objects() if type(f).__name__ == 'function'\n"
        "         and f.__code__.co_filename == '<pystuck>']\n"
        "print(found)"
    )
    assert run_python(code) == []


#: Code that replaces the function of the frame, or a function that it calls.
CHANGES = {
    "code": "for f in found: f.__code__ = make(None).__code__",
    "generator": "for f in found: f.__code__ = generate(None).__code__",
    "closure": "for f in found: f.__closure__[0].cell_contents = lambda: None",
    "no closure": "for f in found: del f.__closure__[0].cell_contents",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_client_that_changes_the_function_gets_an_exception(
    change: str, ours: Debuggee, connect: Connect
) -> None:
    client = connect(ours)
    client.execute(
        "import gc, sys\n"
        "def make(run):\n    def f(): run\n    return f\n"
        "def generate(run):\n    def f(): yield run\n    return f\n"
        "frame = sys._getframe()\n"
        "while frame.f_code.co_filename != '<pystuck>': frame = frame.f_back\n"
        "found = [f for f in gc.get_referrers(frame.f_code)\n"
        "         if type(f).__name__ == 'function' and f.__globals__ is globals()]\n"
        "del frame"
    )
    assert client.eval("len(found)") > 0
    client.execute(f"{CHANGES[change]}\nfound.clear()")
    with pytest.raises((SystemError, NameError)):
        client.eval("1 + 1")
    assert connect(ours).eval("2 + 2") == 4
    client.close()
    assert connect(ours).eval("3 + 3") == 6


# ---- Other threads, and stacks -------------------------------------------------------------------


class Busy:
    """A client that waits in a C function: its thread has only the request's frame."""

    def __init__(self, debuggee: Debuggee, connect: Connect) -> None:
        self.watcher = connect(debuggee)
        self.watcher.execute("import sys, threading\nsys.lock = lock = threading.Lock()")
        self.watcher.execute("lock.acquire()")
        self.client = connect(debuggee)
        self.ident = self.client.modules._thread.get_ident()
        self.waiting = rpyc.async_(self.client.modules.sys.lock.acquire)()
        begun = f"getattr(sys._current_frames().get({self.ident}), 'f_code', None)"
        wait_until(lambda: self.watcher.eval(begun) is not None, "the request to begin")

    def end(self) -> Any:
        """Makes the function return, and returns the result of the request."""
        self.watcher.execute("lock.release()\nvars(sys).pop('lock', None)")
        return self.waiting.value


def test_the_frame_of_a_busy_thread_is_in_no_stacks(ours: Debuggee, connect: Connect) -> None:
    busy = Busy(ours, connect)
    frames = busy.watcher.eval("sys._current_frames()")
    assert frames[busy.ident].f_code.co_name == "request"
    texts = [busy.watcher.modules["pystuck.thread_probe"].stacks_repr()]
    for options in ([], ["--json"], ["--no-exec"]):
        done = pystuck("--port", ours.port, *options)
        assert (done.returncode, done.stderr) == (0, "")
        texts.append(done.stdout)
    for text in texts:
        assert "stuck.py" in text
        assert "<pystuck>" not in text
        assert str(busy.ident) not in text
    assert busy.end() is True


def test_an_exception_that_comes_when_a_function_is_done_costs_no_result(
    ours: Debuggee, connect: Connect
) -> None:
    busy = Busy(ours, connect)
    ctypes = busy.watcher.modules.ctypes
    exception = ctypes.py_object(busy.watcher.builtins.KeyboardInterrupt)
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    assert throw(ctypes.c_ulong(busy.ident), exception) == 1
    # acquire() does not raise the KeyboardInterrupt; Python checks for it when the frame ends.
    assert busy.end() is True
    assert busy.client.builtins.abs(-1) == 1


def test_what_a_handler_raises_at_the_end_of_a_request_is_raised_in_the_program(
    obedient: Debuggee,
) -> None:
    setup = (
        "import signal\n"
        "def fail(*args): raise LookupError('by the handler')\n"
        "signal.signal(signal.SIGUSR1, fail)\n"
    )
    with raw_connect(obedient) as peer:
        give_thing(peer, "__call__")
        sleep = peer.eval("__import__('time').sleep")
        kill = peer.eval("__import__('ctypes').CDLL(None).kill")  # os.kill checks for signals
        assert tell(obedient, setup) is None
        # The client's own thread is busy, so that the main thread serves the next request.
        peer.send(peer.request_frame(Handler.CALL, box((sleep, (1000,)))))
        order(obedient, "thing()")
        message = peer.receive()
        assert message is not None
        assert message.args[0] == Handler.CALL
        peer.send(
            peer.request_frame(Handler.CALL, box((kill, (obedient.pid, int(signal.SIGUSR1)))))
        )
        answer = peer.receive()
        assert answer is not None
        assert (answer.kind, answer.args) == (REPLY, (VALUE, 0))
        assert json.loads(obedient.read_line()) == "LookupError: by the handler"


# ---- Other services ------------------------------------------------------------------------------


def test_other_services_show_nothing_of_theirs_in_the_frame() -> None:
    mine = debuggee_environment()
    path = os.pathsep.join([mine["PYTHONPATH"], build_setting("PYSTUCK_RPYC6")])
    config = json.dumps({"allow_public_attrs": True})
    server = Debuggee(command("service_server.py", "ours", config), mine | {"PYTHONPATH": path})
    try:
        with (
            rpyc.connect("127.0.0.1", server.port) as one,
            rpyc.connect("127.0.0.1", server.port) as other,
        ):
            ids = set()
            for client in (one, other):
                found = client.root.globals()
                assert list(found) == ["__builtins__"]
                ids.add(found.____id_pack__)
            assert len(ids) == 2
            server.write("go on\n")
            assert server.wait() == 0
    finally:
        server.kill()
