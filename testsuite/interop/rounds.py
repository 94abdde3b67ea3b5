# SPDX-License-Identifier: BSD-3-Clause
"""One round of everything that clients do with a server, divided into parts, for test_rounds.py.

A part gets a connection to the program `counted.py`, and must leave nothing behind in it.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import rpyc
from harness import Debuggee
from rawpeer import ENVELOPES, Envelope, Handler, Ref, frame, raw_connect
from rpyc.core import consts
from rpyc.utils import classic
from rpyc.utils.helpers import buffiter

PARTS: list[Callable[..., None]] = []


def part(function: Callable[..., None]) -> Callable[..., None]:
    """Makes the function a part. A part gets a connection and the debuggee."""
    PARTS.append(function)
    return function


@contextlib.contextmanager
def raises(*classes: type[BaseException]) -> Iterator[None]:
    """Checks that the block raises one of `classes`, and releases the exception."""
    try:
        yield
    except classes as error:
        error.__traceback__ = None
    else:
        raise AssertionError(f"none of {classes} was raised")


def refused(c: Any, handler: int, *args: Any) -> None:
    """Checks that a request is answered with an exception."""
    with raises(Exception):
        c.sync_request(handler, *args)


class Odd(Exception):
    """An exception that the server does not know."""


# ---- Values and objects of the server ------------------------------------------------------------

VALUES = (
    *(None, True, False, 0, -49, 159, 2**40, 10**300, 1.5, 1j, "", "plain", "gr\xfc\xdf \u2603"),
    *(b"", b"123", b"x" * 300, "y" * 5000, (), (1, ("a", (b"b",))), tuple(range(300))),
    *(frozenset(), frozenset({1, "a", (2, 3)}), slice(1, "b", (3,)), Ellipsis, NotImplemented),
)


@part
def values(c: Any, _: Debuggee) -> None:
    echo = c.eval("lambda value: value")
    assert echo(VALUES) == VALUES
    c.ping()
    c.ping(VALUES, timeout=10)
    assert c.sync_request(consts.HANDLE_PING, [1]) == [1]
    for text in ("'\\ud800'", "10 ** 5000", "(1, [], (object(), 'a\\ud800'))", "main.Nameless()"):
        with raises(Exception):
            c.eval(text)


@part
def attributes(c: Any, _: Debuggee) -> None:
    thing = c.eval("main.Thing()")
    thing.own = [1]
    assert thing.own[0] == 1
    assert thing.shared == c.sync_request(consts.HANDLE_GETATTR, thing, b"shared")
    assert thing.me() is thing
    del thing.own
    for name in ("own", 5, "\ud800", b"\xff", "x" * 1000):
        refused(c, consts.HANDLE_GETATTR, thing, name)
        refused(c, consts.HANDLE_DELATTR, thing, name)
    refused(c, consts.HANDLE_SETATTR, thing, 5, 5)
    guarded = c.eval("main.Guarded()")
    assert guarded.yes[1] == "yes"
    guarded.kept = thing
    del guarded.kept
    with raises(AttributeError):
        guarded.no  # noqa: B018
    with raises(AttributeError):
        c.root.eval = None
    with raises(AttributeError):
        del c.root.eval
    with raises(RuntimeError):
        c.eval("main.Broken()").attribute  # noqa: B018


@part
def calls(c: Any, _: Debuggee) -> None:
    thing = c.eval("main.Thing(1, k=2)")
    assert thing() == ((), ())
    assert thing(1, [2], k="v", other=(3,))[1] == (("k", "v"), ("other", (3,)))
    assert c.sync_request(consts.HANDLE_CALL, thing, (1,)) == ((1,), ())
    assert c.sync_request(consts.HANDLE_CALLATTR, thing, "me", (), ()) is thing
    assert c.sync_request(consts.HANDLE_CALLATTR, thing, "me", ()) is thing
    refused(c, consts.HANDLE_CALL, thing, 5, ())
    refused(c, consts.HANDLE_CALL, thing, (), 5)
    refused(c, consts.HANDLE_CALL, thing, (), ((1, 2),))
    refused(c, consts.HANDLE_CALL, thing, (), (("k", 1), ("k", 2, 3)))
    refused(c, consts.HANDLE_CALLATTR, thing, "missing", (), ())
    refused(c, consts.HANDLE_CALLATTR, thing, "me", (1,), ())


@part
def questions(c: Any, _: Debuggee) -> None:
    thing, broken = c.eval("main.Thing()"), c.eval("main.Broken()")
    assert "Thing" in repr(thing) + str(thing)
    assert hash(thing) == 4711
    assert "me" in dir(thing)
    assert thing == thing  # noqa: PLR0124
    assert thing == 5
    assert c.eval("[1]") < c.eval("[2]")
    for handler in ("REPR", "STR", "HASH", "DIR"):
        refused(c, getattr(consts, f"HANDLE_{handler}"), broken)
    refused(c, consts.HANDLE_HASH, c.eval("[]"))
    refused(c, consts.HANDLE_CMP, broken, 1, "__eq__")
    refused(c, consts.HANDLE_CMP, thing, 1)
    refused(c, consts.HANDLE_CMP, thing, 1, "__no__")
    assert len(c.eval("[1, 2]")) == 2
    assert 2 in c.eval("{1, 2}")
    assert (c.eval("[1, 2, 3]")[1:][0], c.eval("1.5j") * 2) == (2, 3j)


@part
def pickling(c: Any, _: Debuggee) -> None:
    assert classic.obtain(c.eval("[1, {'a': (2.5, None)}]")) == [1, {"a": (2.5, None)}]
    assert classic.deliver(c, {"a": [1]})["a"][0] == 1
    assert pickle.loads(pickle.dumps(c.eval("{1, 2}"))) == {1, 2}
    refused(c, consts.HANDLE_PICKLE, c.eval("main.Broken()"), 2)
    refused(c, consts.HANDLE_PICKLE, c.eval("[]"), "protocol")


@part
def inspection(c: Any, _: Debuggee) -> None:
    pack = c.eval("main.Thing()").____id_pack__
    refused(c, consts.HANDLE_INSPECT, pack)  # the object is deleted
    refused(c, consts.HANDLE_INSPECT, 5)
    refused(c, consts.HANDLE_INSPECT, (1, 2, 3))
    c.execute("class New:\n    'doc'\n    def method(self): 'what it does'\n    class Inner: pass")
    new = c.namespace["New"]
    assert c.sync_request(consts.HANDLE_INSPECT, new.____id_pack__)
    assert new().method() is None
    assert new.Inner()
    assert isinstance(new(), new)
    assert not isinstance(c.eval("[]"), new)
    assert c.sync_request(consts.HANDLE_INSTANCECHECK, c.builtins.list, ("builtins.list", 1, 2))
    assert c.sync_request(consts.HANDLE_INSTANCECHECK, c.builtins.type, ("builtins.list", 1, 0))
    assert not c.sync_request(consts.HANDLE_INSTANCECHECK, new, ("no.such", 1, 2))
    refused(c, consts.HANDLE_INSTANCECHECK, c.eval("5j").__class__, 5)
    refused(c, consts.HANDLE_INSTANCECHECK, c.eval("[]"), ("builtins.list", 1, 2))
    c.execute("del New")


@part
def iteration(c: Any, _: Debuggee) -> None:
    assert len(list(c.eval("main.generate(5)"))) == 5
    assert len(list(buffiter(c.eval("main.generate(10)"), 4))) == 10
    refused(c, consts.HANDLE_BUFFITER, c.eval("main.generate(5, True)"), 10)
    refused(c, consts.HANDLE_BUFFITER, c.eval("main.Broken()"), 10)
    for count in (-1, 2**80, "1"):
        refused(c, consts.HANDLE_BUFFITER, c.eval("iter([[]])"), count)
    with raises(StopIteration):
        next(c.eval("iter(())"))


@part
def old_slicing(c: Any, _: Debuggee) -> None:
    thing = c.eval("[[1], 2, 3]")
    request = (thing, "__getitem__", "__getslice__", 0, 2, ())
    assert c.sync_request(consts.HANDLE_OLDSLICING, *request)[0][0] == 1
    old = c.eval("main.Thing()")
    for stop, expected in ((None, (1, sys.maxsize)), (5, (1, 5))):
        request = (old, "__getitem__", "__getslice__", 1, stop, ())
        assert c.sync_request(consts.HANDLE_OLDSLICING, *request) == expected
    refused(c, consts.HANDLE_OLDSLICING, thing, "no", "no", 1, 2, ())
    refused(c, consts.HANDLE_OLDSLICING, thing, "__getitem__", "no", 1, 2, 5)


@part
def context_managers(c: Any, _: Debuggee) -> None:
    with c.eval("main.Manager(None)") as manager:
        assert manager.answer is None
    with c.eval("main.Manager(True)"):
        raise KeyError("swallowed")
    for error in (OSError(5), Odd(1)):
        with raises(type(error)), c.eval("main.Manager([])"):
            raise error
    refused(c, consts.HANDLE_CTXEXIT, c.eval("[]"), None)
    assert c.sync_request(consts.HANDLE_CTXEXIT, c.eval("main.Manager(5)"), 5) == 5
    kept = c.eval("ValueError('an object of the server')")
    assert c.sync_request(consts.HANDLE_CTXEXIT, c.eval("main.Manager(5)"), kept) == 5


# ---- Exceptions ----------------------------------------------------------------------------------


@part
def exceptions(c: Any, _: Debuggee) -> None:
    for text in (
        "1/0",
        "raise StopIteration",
        "raise SystemExit(3)",
        "raise KeyboardInterrupt",
        "raise KeyError('\\ud800', 10 ** 5000, [1], object)",
        "raise main.Unprintable(1, main)",
        "main.Thing().fail(main.Thing(), main)",
        "x =",
        "import no_such_module",
        "open('/does/not/exist')",
        "try:\n    1/0\nexcept ZeroDivisionError as error:\n    raise KeyError(1) from error",
        "def f(n): return f(n - 1) if n else 1/0\nf(50)",
    ):
        with raises(BaseException):
            c.execute(text)
    c.namespace.clear()
    c.execute("main = __import__('__main__')")


# ---- Invalid requests ----------------------------------------------------------------------------


@part
def nonsense(c: Any, _: Debuggee) -> None:
    thing = c.eval("main.Thing()")
    for number in (0, -1, 99, 2**40):
        refused(c, number, thing)
    for handler in Handler:
        if handler not in (Handler.CLOSE, Handler.PING):
            refused(c, handler, *[thing] * 9)
    refused(c, consts.HANDLE_DEL, 5, 5)
    refused(c, consts.HANDLE_DEL, thing, 0)
    refused(c, consts.HANDLE_DEL, thing, "1")


@part
def raw_requests(_: Any, debuggee: Debuggee) -> None:
    for envelope in ENVELOPES:
        with raw_connect(debuggee, envelope) as peer:
            thing = peer.eval("__import__('__main__').Thing([1])")
            assert thing == peer.value(Handler.CALLATTR, thing, "me", ())
            gone = Ref(("builtins.list", 1, 2))
            assert peer.error(Handler.GETATTR, gone, "x") == "KeyError"
            assert peer.error(Handler.DEL, gone, 1) == "KeyError"
            assert peer.value(Handler.DEL, thing, 1) is None
            for boxed in (5, (1, 5), (2, ((3, thing.id_pack), (4, ("a.b", 1, 2)), (1, 5)))):
                peer.send(peer.request_frame(Handler.GETATTR, boxed))
                if peer.answer() is None:
                    break


@part
def broken_connections(_: Any, debuggee: Debuggee) -> None:
    for envelope in ENVELOPES:
        for data in (b"", b"\0\0", frame(b"x" * 50), frame(b"\x01" * 5), b"\0\0\1\0\0half"):
            with raw_connect(debuggee, envelope) as peer:
                root = peer.root()
                peer.eval("[__import__('__main__').Thing() for _ in range(3)]")
                # A request whose reply is not awaited, with an object of the client in it.
                boxed = (2, ((3, root.id_pack), (1, "eval"), (4, ("my.thing", 5, 6)), (1, ())))
                peer.send(peer.request_frame(Handler.CALLATTR, boxed) + data)


# ---- Objects of the client -----------------------------------------------------------------------


class Mine:
    """An object that has everything that the server may use; see `use` in counted.py."""

    def __init__(self) -> None:
        self.text = "mine"

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[int, str]:
        return len(args), "".join(kwargs)

    method = __call__

    def __repr__(self) -> str:
        return "a client's"

    def __hash__(self) -> int:
        return 4712

    def __eq__(self, other: object) -> bool:
        return other == 6 or other is self

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return other == 8

    def __gt__(self, other: Any) -> bool:
        return other != 8

    def __add__(self, other: Any) -> Any:
        return other + 9

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: Any) -> Any:
        return [key]

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __delitem__(self, key: Any) -> None:
        pass

    def __contains__(self, key: Any) -> bool:
        return key == 5

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def fail(self) -> None:
        raise KeyError("from the client")

    def fail_oddly(self) -> None:
        raise Odd(self, 1)

    def stop(self) -> None:
        raise StopIteration


@part
def objects_of_the_client(c: Any, _: Debuggee) -> None:
    use = c.eval("main.use")
    mine = Mine()
    use(mine, [mine])
    assert c.eval("lambda *a: a[1][0]")(mine, (mine, Mine)) is mine
    assert c.eval("lambda a: a")(Mine) is Mine
    c.namespace["mine"] = mine
    c.execute("import pickle, weakref\nw = weakref.ref(mine)\nassert w() is mine")
    assert c.eval("isinstance(mine, int)") is False
    c.execute("del mine, w, pickle, weakref")
    assert c.eval("lambda a: __import__('pickle').loads(__import__('pickle').dumps(a))")([1, (2,)])


@part
def callbacks(c: Any, _: Debuggee) -> None:
    attempt = c.eval("main.attempt")

    def down(n: int) -> Any:
        return attempt(down, n - 1) if n else 1 / 0

    assert attempt(down, 4) == ("ZeroDivisionError", ("division by zero",))
    assert attempt(lambda *a: a[0], [1])[0] == 1
    assert c.eval("main.in_thread")(lambda a: a, 5) == 5
    assert c.eval("main.in_thread")(down, 0)[0] == "ZeroDivisionError"
    assert list(c.builtins.sorted([3, 1, 2], key=lambda n: -n)) == [3, 2, 1]
    assert c.builtins.sum(n for n in range(5)) == 10
    assert attempt(c.builtins.sum, (1 / n for n in (1, 0)))[0] == "ZeroDivisionError"


@part
def asynchronous_requests(c: Any, _: Debuggee) -> None:
    thing = c.eval("main.Thing()")
    results = [rpyc.async_(thing)(n) for n in range(5)]
    assert [result.value[0][0] for result in results] == list(range(5))
    rpyc.async_(thing.fail)(1)  # its reply is not awaited
    failing = rpyc.async_(thing.fail)(thing)
    failing.wait()
    assert failing.error


# ---- The service, the connection object, the rest ------------------------------------------------


@part
def the_classic_service(c: Any, _: Debuggee) -> None:
    assert c.modules["os.path"].join("a", "b") == "a/b"
    assert c.modules["os", "path"].basename("a/b") == "b"
    assert c.root.getmodule("rpyc.lib.compat").pickle
    assert "json" in c.modules
    assert "no_such_module" not in c.modules
    refused(c, consts.HANDLE_CALL, c.root.getmodule, (5,), ())
    c.execute("y = [1]\ndef f(n):\n    return n + len(y)\n")
    assert c.namespace["f"](1) == 2
    assert c.eval("y")[0] == 1
    c.execute("del y, f")
    c.execute("import threading; own = threading.get_ident")
    c.eval("threading.current_thread()")
    c.execute("threading.get_ident = lambda: own()")  # as gevent does
    c.execute("threading.get_ident = own; del own, threading")
    assert "counted.py" in c.modules["pystuck.thread_probe"].stacks_repr()
    assert c.eval("len(__import__('_pystuck').own_threads())") > 0
    assert "pystuck server" in c.eval("repr(main.server)")


@part
def the_connection_object(c: Any, _: Debuggee) -> None:
    conn = c.root.getconn()
    assert conn.ping("data") is None
    assert conn.closed is False
    assert conn.fileno() > 2
    assert conn._config["allow_pickle"] is True
    assert conn.root.eval("1 + 1") == 2
    assert conn.sync_request(consts.HANDLE_CALL, len, ([1, 2, 3],)) == 3
    result = conn.async_request(consts.HANDLE_CALL, len, ([1, 2],))
    assert result.value == 2
    conn.async_request(consts.HANDLE_CALL, len, ([1, 2],))  # its reply is not awaited
    failed = conn.async_request(consts.HANDLE_CALL, lambda: 1 / 0, ())
    failed.wait()
    assert failed.error
    with raises(ZeroDivisionError):
        conn.sync_request(consts.HANDLE_CALL, lambda: 1 / 0, ())
    with raises(Exception):
        conn._link.request(consts.HANDLE_CALL, 5)
    assert conn.poll_all(0) in (True, False)
    with raises(Exception):
        c.execute("1/0")
    assert conn._last_traceback.tb_frame is not None


@part
def a_service_with_a_policy(_: Any, debuggee: Debuggee) -> None:
    path = f"{debuggee.unix_socket}-service"
    with contextlib.closing(rpyc.utils.factory.unix_connect(path)) as c:
        thing = c.root.thing()
        assert thing == 5
        assert c.root.call(lambda x: x, [1])[0] == 1
        assert c.root.ask_client() == "VOID"
        for name in ("hidden", "__dict__", "exposed_no"):
            with raises(AttributeError):
                getattr(c.root, name)
        with raises(AttributeError):
            thing.me()
        with raises(AttributeError):
            thing.own = 1
        with raises(AttributeError):
            del thing.shared
        with raises(ValueError):
            classic.obtain(thing)
        with raises(ZeroDivisionError):
            c.root.call(lambda: 1 / 0)


@part
def other_clients(_: Any, debuggee: Debuggee) -> None:
    for bound in (False, True):
        with contextlib.closing(connect(debuggee, bind_threads=bound)) as c:
            held = c.eval("[[], object(), lambda: 1]")
            assert held[2]() == 1
            c.execute("def f(): return f\nme = f")
            assert c.root.getconn().closed is False
    with raw_connect(debuggee, Envelope.RPYC6) as peer:
        peer.root()
        peer.send(peer.request_frame(Handler.CLOSE, (1, ())))
        assert peer.receive() is None


def connect(debuggee: Debuggee, **config: Any) -> Any:
    """Connects stock rpyc in this process."""
    path = debuggee.unix_socket
    return rpyc.utils.factory.unix_connect(path, rpyc.ClassicService, config)


def run(c: Any, debuggee: Debuggee, parts: list[Callable[..., None]] = PARTS) -> None:
    """Runs one round on a connection."""
    c.execute("main = __import__('__main__')")
    for function in parts:
        function(c, debuggee)
