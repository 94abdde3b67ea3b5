# SPDX-License-Identifier: BSD-3-Clause
"""Threads, and the hangs that users of rpyc report. They do not happen here."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    ADDRESS_SANITIZED,
    PATIENCE,
    RPYC6,
    Debuggee,
    Running,
    build_setting,
    command,
    debuggee_environment,
    order,
    python,
    stock_environment,
    tell,
    wait_until,
)
from rawpeer import (
    REPLY,
    REQUEST,
    VALUE,
    Handler,
    Message,
    RawPeer,
    box,
    give_thing,
    pass_object,
    raw_connect,
    stop_reading,
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


INTERRUPT = """
import ctypes, threading
def interrupt(ident):
    set_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
    return set_exc(ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))
"""


def test_an_interruption_that_comes_late_hits_no_other_request(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee()
    c, other = connect(debuggee), connect(debuggee)
    c.execute(INTERRUPT)
    other.execute(INTERRUPT)
    ident = c.eval("threading.get_ident()")

    def is_hit(connection: Any, text: str) -> bool:
        """Without pytest.raises: a KeyboardInterrupt would end pytest itself."""
        try:
            connection.eval(text)
        except KeyboardInterrupt:
            return True
        return False

    for _ in range(50):
        is_hit(
            c, "interrupt(threading.get_ident())"
        )  # the request ends just when it is interrupted
        assert not is_hit(c, "[n for n in range(100)][-1]")
        assert not is_hit(other, f"interrupt({ident})")  # interrupts a thread that runs no request
        assert not is_hit(c, "[n for n in range(100)][-1]")


def test_two_connections_whose_requests_cross_do_not_deadlock(
    start_debuggee: Start, connect: Connect
) -> None:
    """Each of two debuggees calls the other one while it is called (rpyc issue 270)."""
    one, two = connect(start_debuggee()), connect(start_debuggee())
    for c in (one, two):
        c.execute("def there_and_back(f, n):\n    return n if n == 0 else f(n - 1) + 1\n")
    failures: list[BaseException] = []

    def cross(a: Any, b: Any) -> None:
        f, g = a.namespace["there_and_back"], b.namespace["there_and_back"]

        def bounce(n: int) -> int:
            return g(lambda m: f(bounce, m), n)

        try:
            for _ in range(5):
                assert f(bounce, 9) == 9
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=cross, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


# ---- Netrefs that are collected ------------------------------------------------------------------

#: Holds the last reference to f in a reference cycle, and collects it on request, or while an
#: argument is boxed, when the server reads its __class__.
COLLECT = """
import gc, threading
class Node:
    pass
def keep(f):
    global node
    node = Node()
    node.me, node.f = node, f
def collect():
    global node
    node = None
    return gc.collect() > 0
class Sly:
    @property
    def __class__(self):
        collect()
        return object
def call(g):
    return g("x" * 5000, Sly(), "y" * 5000)
def send(g):
    threading.Thread(target=lambda: g("x" * 50_000_000), daemon=True).start()
"""


def test_a_netref_may_be_collected_while_its_connection_writes(
    start_debuggee: Start, connect: Connect
) -> None:
    """rpyc PR 166."""
    c = connect(start_debuggee())
    c.execute(COLLECT)
    keep, call = c.namespace["keep"], c.namespace["call"]

    def is_given_back() -> bool:
        c.ping()
        gc.collect()
        return all(one() is None for one in given)

    given = []
    for n in range(30):

        def f() -> None:
            pass

        given.append(weakref.ref(f))
        keep(f)
        del f
        assert call(lambda *args, n=n: n + len(args)) == n + 3
    wait_until(is_given_back, "what was collected to be given back")


#: Stops its own process, as Ctrl-Z does, and reads the data when it continues.
STOPPING = """
import gc, os, signal, sys, weakref
import rpyc
c = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))
c.execute(sys.argv[2])
f, got = lambda: None, []
alive = weakref.ref(f)
c.namespace["keep"](f)
c.namespace["g"] = lambda text: got.append(len(text))
c.modules.sys.stopped = c.namespace
del f
print("stopping", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
while not got or alive():
    c.execute("")
    gc.collect()
print("went on with", got, flush=True)
"""


def is_sending(debuggee: Debuggee) -> bool:
    """Returns True if there is data that a client has not read."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        is_its = int(fields[1].split(":")[1], 16) == debuggee.port
        if is_its and int(fields[4].split(":")[0], 16) > 100_000:
            return True
    return False


def test_a_netref_may_be_collected_while_its_connection_sends(
    start_debuggee: Start, connect: Connect
) -> None:
    """rpyc PR 166, with a send that takes long because the client does not read."""
    debuggee = start_debuggee()
    observer = connect(debuggee)
    argv = [python(), "-c", STOPPING, str(debuggee.port), COLLECT]
    client = Running(argv, stock_environment("PYSTUCK_RPYC6"))
    try:
        assert client.read_line() == "stopping"
        observer.execute("import sys; space = sys.stopped; space['send'](space['g'])")
        wait_until(lambda: is_sending(debuggee), "the client to be sent what it does not read")
        assert observer.eval("space['collect']()") is True
        os.kill(client.pid, signal.SIGCONT)
        assert client.read_line() == "went on with [50000000]"
    finally:
        client.kill()


# ---- Signals -------------------------------------------------------------------------------------

#: A client whose function makes a long request. Its session is busy already, so the main thread,
#: which waits for the function, must serve the request, unless the client binds threads.
NESTED = """
import sys
import rpyc
c = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))
c.execute("import threading, time")
def nested():
    print(c.eval("threading.current_thread() is threading.main_thread()"), flush=True)
    try:
        c.eval(sys.argv[2])
    except BaseException as error:
        print(type(error).__name__, flush=True)
c.modules.sys.nested = nested
sleeping = rpyc.async_(c.eval("time.sleep"))(1000)
print("ready", flush=True)
c.serve_all()
"""


@pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])
@pytest.mark.parametrize("bound", ["true", "false"])
@pytest.mark.parametrize("text", ["time.sleep(1000)", "[0 for _ in iter(int, 1)]"], ids=["c", "py"])
@pytest.mark.rotates(4)
def test_ctrl_c_interrupts_the_main_thread_within_a_call_to_the_client(
    start_debuggee: Start, setting: str, bound: str, text: str
) -> None:
    code = (
        "try:\n"
        "    sys.nested()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code))
    argv = [python(), "-c", NESTED, str(debuggee.port), text]
    client = Running(argv, stock_environment(setting, RPYC_BIND_THREADS=bound))
    try:
        assert client.read_line() == "ready"
        debuggee.write("call it\n")
        runs_on_main_thread = client.read_line() == "True"
        assert runs_on_main_thread or bound == "true"
        os.kill(debuggee.pid, signal.SIGINT)
        assert debuggee.read_line() == "interrupted"
    finally:
        client.kill()


# ---- Requests that end in another order ----------------------------------------------------------

#: Two greenlets, each of which calls the client; and how the client may switch between them.
GREENLETS = """
import greenlet
def call(f):
    global one, other
    one = greenlet.greenlet(lambda: (f(), f()))
    other = greenlet.greenlet(lambda: f())
    return one.switch(), other.switch()
def to_other():
    other.switch()
    return "to other"
def to_one():
    one.switch()
    return "to one"
"""


def start_with_greenlet(kind: str) -> Debuggee:
    """Starts the stuck program with pystuck's or stock's server, and greenlet. Freed memory is
    overwritten."""
    path, more = build_setting("PYSTUCK_GREENLET"), {"MALLOC_PERTURB_": "165"}
    if kind == "stock":
        env = RPYC6.environment("PYSTUCK_GREENLET") | more
        return Debuggee(command("stock_server.py", "SlaveService"), env)
    mine = debuggee_environment(**more)
    env = mine | {"PYTHONPATH": f"{mine['PYTHONPATH']}:{path}"}
    return Debuggee(command("stuck.py", '{"port": 0}'), env)


@pytest.mark.skipif(
    ADDRESS_SANITIZED, reason="AddressSanitizer objects to how greenlets swap stacks"
)
@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_requests_within_requests_may_end_before_others_within_them(kind: str) -> None:
    debuggee = start_with_greenlet(kind)
    with contextlib.ExitStack() as stack:
        stack.callback(debuggee.kill)
        peer = stack.enter_context(raw_connect(debuggee))
        peer.value(Handler.CALLATTR, peer.root(), "execute", (GREENLETS,))
        call, to_other, to_one = (peer.eval(name) for name in ("call", "to_other", "to_one"))

        def receive(expected: int) -> Message:
            message = peer.receive()
            assert message is not None
            assert message.kind == expected
            return message

        pass_object(peer, call, "__call__")
        first = receive(REQUEST)
        peer.send(peer.request_frame(Handler.CALL, box((to_other, ()))))
        second = receive(REQUEST)
        peer.send(peer.request_frame(Handler.CALL, box((to_one, ()))))
        assert receive(REPLY).args == (VALUE, "to other")
        peer.reply(first, 1)
        third = receive(REQUEST)
        assert peer.works()
        peer.reply(third, 3)
        assert receive(REPLY).args == (VALUE, "to one")
        peer.reply(second, 2)
        assert receive(REPLY).args == (VALUE, ((1, 3), 2))
        debuggee.end_well()


# ---- Clients that do not read --------------------------------------------------------------------


@contextlib.contextmanager
def flooded(peer: RawPeer) -> Iterator[None]:
    """Sends requests without end and does not read the replies."""
    ping = peer.request_frame(Handler.PING, box((b"x" * 200_000,)))

    def flood() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer.sock.sendall(ping)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        yield
    finally:
        peer.sock.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def test_a_client_that_floods_us_and_does_not_read_is_not_waited_for_longer(
    obedient: Debuggee,
) -> None:
    """The thread that waits for the client serves its requests, since the client's own thread is
    busy."""
    with raw_connect(obedient) as peer:
        give_thing(peer)
        assert tell(obedient, "thing.____conn__._config['sync_request_timeout'] = 1") is None
        text = "(__import__('__main__').__dict__.update(busy=1), __import__('time').sleep(1000))"
        peer.send(peer.request_frame(Handler.CALLATTR, box((peer.root(), "eval", (text,)))))
        wait_until(lambda: tell(obedient, "busy") is None, "the request to be served")
        order(obedient, "thing.attribute")
        with flooded(peer):
            assert json.loads(obedient.read_line()) == "TimeoutError: result expired"


CALL_IN_VAIN = """
import weakref
class Argument: pass
def call():
    argument = Argument()
    references.append(weakref.ref(argument))
    try: thing(argument)
    except TimeoutError: pass
    else: assert False
references = []
for _ in range(20): call()
"""


def test_the_arguments_of_a_request_that_was_not_sent_are_not_kept(obedient: Debuggee) -> None:
    with raw_connect(obedient) as peer:
        give_thing(peer, "__call__")
        assert tell(obedient, "thing.____conn__._config['sync_request_timeout'] = 0.02") is None
        stop_reading(peer)
        assert tell(obedient, CALL_IN_VAIN) is None
        check = "assert not any(reference() for reference in references)"
        wait_until(lambda: tell(obedient, check) is None, "the arguments to be let go")


# ---- What is known without asking ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("builtins.function", "types.FunctionType"),
        ("builtins.method", "types.MethodType"),
        ("builtins.builtin_function_or_method", "types.BuiltinFunctionType"),
        ("builtins.generator", "types.GeneratorType"),
        ("builtins.list", "list"),
        ("collections.OrderedDict", "dict"),
    ],
)
def test_the_client_is_not_asked_of_what_class_an_object_is_if_that_is_known_here(
    stuck: Debuggee, name: str, cls: str
) -> None:
    with raw_connect(stuck) as peer:
        peer.value(Handler.CALLATTR, peer.root(), "execute", ("import types, collections",))
        check = peer.eval(f"lambda thing: (isinstance(thing, {cls}), isinstance(thing, int))")
        pass_object(peer, check, name=name)
        answer = peer.receive()
        assert answer is not None
        assert answer.kind == REPLY
        assert answer.args == (VALUE, (True, False))
