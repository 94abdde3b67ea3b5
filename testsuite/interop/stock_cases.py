# SPDX-License-Identifier: BSD-3-Clause
"""What users of stock rpyc do to a server, one function a case, its name what it finds.

test_stock_clients.py runs each of them, and those of the other *_cases.py, by stock_client.py,
under every stock version, at our server and at those of stock. So nothing but rpyc and the standard
library is imported here. Where a case does not hold, it says so: `@case(Differs(...))`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gc
import importlib
import json
import math
import pickle
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import rpyc
from rpyc.core import consts
from rpyc.core.netref import BaseNetref
from rpyc.utils.helpers import buffiter

#: Seconds after which a request counts as lost; as test_stock_clients.py says.
PATIENCE = 8.0

CASES: dict[str, Callable[..., None]] = {}


class Differs(NamedTuple):
    """Where a case does not hold, and why.

    Clients and servers are patterns of names: rpyc4, rpyc5-bound, ours, ... `hangs` says that it
    is not even tried there, `when` on which Pythons all this is so.
    """

    why: str
    client: str = "*"
    server: str = "*"
    hangs: bool = False
    when: bool = True

    def concerns(self, client: str, server: str) -> bool:
        """Whether it is about this client and this server."""
        names = fnmatch.fnmatch(client, self.client) and fnmatch.fnmatch(server, self.server)
        return names and self.when


#: Whether this Python refuses to convert ints of more than 4300 digits.
INTS_ARE_LIMITED = hasattr(sys, "get_int_max_str_digits")

#: Where the cases do not hold.
DIFFERENCES: dict[str, tuple[Differs, ...]] = {}

#: Where the server of the running case is.
address: dict[str, Any] = {}


def case(*marks: Any) -> Any:
    """Makes a function a case, which is called with a new connection.

    Used as `@case` or as `@case(Differs(...), ...)`.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        CASES[function.__name__] = function
        DIFFERENCES[function.__name__] = differences
        return function

    differences = () if callable(marks[0]) else marks
    return register if differences else register(marks[0])


def names_of(*modules: str) -> list[str]:
    """The names of all cases of some modules."""
    for module in modules:
        importlib.import_module(module)
    return [name for name, function in CASES.items() if function.__module__ in modules]


def connect() -> Any:
    """A new connection to the server of this case."""
    if address["unix_socket"]:
        connection = rpyc.classic.unix_connect(address["unix_socket"])
    else:
        ipv6 = ":" in address["host"]
        connection = rpyc.classic.connect(address["host"], address["port"], ipv6=ipv6)
    connection._config["sync_request_timeout"] = PATIENCE
    return connection


class Caught:
    """Holds the exception that `raises` has seen."""

    value: BaseException


@contextlib.contextmanager
def raises(cls: type[BaseException]) -> Iterator[Caught]:
    """Checks that the block raises `cls`, and keeps it."""
    caught = Caught()
    try:
        yield caught
    except cls as error:
        caught.value = error
    else:
        raise AssertionError(f"{cls.__name__} was not raised")


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Polls `condition` until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.005)


def is_netref(value: Any) -> bool:
    """Whether `value` is a proxy, whatever class it says it has."""
    return issubclass(type(value), BaseNetref)


# ---- The list of the first issue -----------------------------------------------------------------


@case
def modules_are_those_of_the_debuggee(c: Any) -> None:
    assert c.modules.sys.version == sys.version
    assert c.modules.os.getpid() != __import__("os").getpid()
    assert c.modules.sys.argv[0].endswith(".py")


@case
def eval_gives_the_value(c: Any) -> None:
    assert c.eval("1+1") == 2
    assert c.eval("'a' * 3") == "aaa"


@case
def execute_fills_the_namespace(c: Any) -> None:
    assert c.execute("x=5") is None
    assert c.namespace["x"] == 5
    c.namespace["y"] = 6
    assert c.eval("x + y") == 11
    c.execute("def f(n):\n    return n * x\n")
    assert c.namespace["f"](3) == 15


@case
def a_module_within_a_package_is_found(c: Any) -> None:
    assert c.modules["os.path"].join("a", "b") == "a/b"
    assert c.modules["xml.dom"].__name__ == "xml.dom"
    assert c.modules.os.path.join("a", "b") == "a/b"


@case
def a_module_is_found_by_a_tuple(c: Any) -> None:
    assert c.modules["os", "path"].join("a", "b") == "a/b"


@case
def builtins_take_lists_of_the_client(c: Any) -> None:
    assert c.builtins.len([1, 2, 3]) == 3
    assert c.builtin.len([1, 2]) == 2


@case
def an_exception_arrives_as_its_builtin_class(c: Any) -> None:
    with raises(ZeroDivisionError) as caught:
        c.eval("1/0")
    assert caught.value.args == ("division by zero",)
    assert "========= Remote Traceback (1) =========" in str(caught.value)
    assert "ZeroDivisionError: division by zero" in str(caught.value)


@case(Differs("the rpyc of the server is another one, and says so", client="rpyc4", server="rpyc5"))
def no_exception_warns_of_another_version(c: Any) -> None:
    with raises(ZeroDivisionError) as caught:
        c.eval("1/0")
    assert "WARNING" not in str(caught.value)


@case
def ping_is_answered(c: Any) -> None:
    c.ping()
    c.ping("\N{SNOWMAN}" * 10_000, timeout=PATIENCE)
    c.ping((1, None, b"x", 2.5, ("nested", ())), timeout=PATIENCE)


@case
def close_closes(c: Any) -> None:
    started = time.monotonic()
    c.close()
    assert c.closed
    assert time.monotonic() - started < 5
    with raises(EOFError):
        c.ping()


@case
def ten_clients_work_at_once(c: Any) -> None:
    together = threading.Barrier(10, timeout=PATIENCE)
    results: list[Any] = []

    def one(number: int) -> None:
        mine = connect()
        together.wait()
        mine.execute(f"x = {number}")
        for _ in range(20):
            assert mine.eval("x") == number
            assert mine.modules["os.path"].join("a", str(number)) == f"a/{number}"
        together.wait()
        results.append(mine.builtins.len(list(range(number))))
        mine.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(results) == list(range(10))


# ---- Values --------------------------------------------------------------------------------------

VALUES = [
    None,
    True,
    False,
    0,
    -48,
    -49,
    159,
    160,
    2**31,
    -(2**31),
    2**63 - 1,
    -(2**63),
    2**64,
    10**300,
    -(10**254),
    10**4200,
    -(10**4200),
    0.0,
    1.5,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "plain",
    "gr\xfc\xdf \N{SNOWMAN} \N{GRINNING FACE} \0 end",
    "x" * 300,
    "\N{SNOWMAN}" * 70_000,
    b"",
    b"\0",
    b"12",
    b"123",
    b"1234",
    b"12345",
    bytes(range(256)),
    b"z" * 70_000,
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    (1, 2, 3, 4, 5),
    tuple(range(256)),
    tuple(range(70_000)),
    ((((), "a"), b"b"), (None, (1.5, (2j,)))),
    frozenset(),
    frozenset({1, "a", (2, 3)}),
    slice(None),
    slice(1, "b", (3,)),
    1j,
    complex(-1.5, math.inf),
    Ellipsis,
    NotImplemented,
]


@case
def values_come_back_as_they_went(c: Any) -> None:
    echo = c.eval("lambda value: value")
    for value in VALUES:
        result = echo(value)
        assert type(result) is type(value), repr(value)[:80]
        assert result == value, repr(value)[:80]
    assert math.isnan(echo(math.nan))
    assert math.copysign(1, echo(-0.0)) == -1


@case
def values_are_on_the_server_what_they_are_here(c: Any) -> None:
    describe = c.eval("lambda value: (type(value).__name__, repr(value)[:100])")
    for value in VALUES:
        if abs(value) > 10**300 if isinstance(value, int) else isinstance(value, frozenset):
            continue
        assert describe(value) == (type(value).__name__, repr(value)[:100])


@case
def ten_megabytes_go_both_ways(c: Any) -> None:
    data = bytes(range(256)) * 40_960
    c.namespace["data"] = data
    assert c.eval("len(data)") == len(data)
    assert c.namespace["data"] == data
    noise = __import__("os").urandom(1_000_000)
    assert c.eval("lambda value: value")(noise) == noise


@case
def subclasses_of_plain_types_stay_where_they_are(c: Any) -> None:
    number = c.eval("__import__('signal').SIGINT")
    assert is_netref(number)
    assert int(number) == 2
    assert is_netref(c.eval("__import__('os').stat('/')"))
    assert is_netref(c.eval("bytearray(b'x')"))
    c.execute("class Text(str): pass")
    assert is_netref(c.eval("Text('x')"))


@case(Differs("it loses the connection", server="rpyc*"))
def an_object_whose_class_has_no_module_arrives(c: Any) -> None:
    thing = c.eval("type('Thing', (), {})()")
    assert is_netref(thing)
    thing.x = 1
    assert thing.x == 1
    assert c.eval("type('Thing', (), {'shared': 2})").shared == 2


@case
def a_tuple_with_an_object_in_it_is_a_tuple(c: Any) -> None:
    result = c.eval("(1, [2], ('x', {3: 4}))")
    assert type(result) is tuple
    assert result[0] == 1
    assert is_netref(result[1])
    assert result[1][0] == 2
    assert type(result[2]) is tuple
    assert result[2][1][3] == 4


@case
def an_object_of_the_server_comes_back_as_itself(c: Any) -> None:
    c.execute("thing = object()")
    thing = c.namespace["thing"]
    assert c.eval("lambda value: value is thing")(thing) is True
    assert c.eval("lambda values: values[1][0] is thing")((1, (thing,))) is True
    assert c.namespace["thing"] is thing


@case
def an_object_of_the_client_comes_back_as_itself(c: Any) -> None:
    thing = object()
    assert c.eval("lambda value: value")(thing) is thing
    result = c.eval("lambda value: (1, (value,))")(thing)
    assert result == (1, (thing,))
    assert result[1][0] is thing


@case(Differs("it loses the connection", server="rpyc*", when=INTS_ARE_LIMITED))
def an_int_of_5000_digits_is_an_exception(c: Any) -> None:
    if not INTS_ARE_LIMITED:
        assert c.eval("10**5000") == 10**5000
        return
    with raises(ValueError):
        c.eval("10**5000")
    with raises(ValueError):
        c.eval("(1, [], -10**5000)")
    assert c.eval("1+1") == 2


@case(Differs("it loses the connection", server="rpyc*"))
def a_lone_surrogate_is_an_exception(c: Any) -> None:
    with raises(UnicodeEncodeError):
        c.eval("'\\ud800'")
    with raises(UnicodeEncodeError):
        c.eval("('a', ['b'], 'c\\udfff')")
    assert c.eval("1+1") == 2


@case(Differs("it loses the connection", server="rpyc*"))
def what_cannot_be_sent_in_an_exception_does_not_lose_it(c: Any) -> None:
    for text in (
        "raise KeyError('\\ud800')",
        "raise KeyError(10**5000)",
        "raise KeyError((1, '\\udfff'))",
        "e = KeyError(1); e.number = 10**5000; raise e",
        "e = KeyError(1); e.text = '\\ud800'; raise e",
    ):
        with raises(KeyError):
            c.execute(text)
        assert c.eval("1+1") == 2


# ---- Exceptions ----------------------------------------------------------------------------------


@case
def an_exception_has_its_arguments_and_attributes(c: Any) -> None:
    with raises(FileNotFoundError) as caught:
        c.builtins.open("/does/not/exist")
    assert caught.value.errno == 2
    assert caught.value.filename == "/does/not/exist"
    assert caught.value.args == (2, "No such file or directory")
    with raises(KeyError) as caught:
        c.execute("raise KeyError(1, 'two', b'3', None, (4.5,))")
    assert caught.value.args == (1, "two", b"3", None, (4.5,))


@case
def arguments_of_an_exception_that_are_objects_come_as_their_repr(c: Any) -> None:
    with raises(ValueError) as caught:
        c.execute("e = ValueError([1, 2], 'x'); e.extra = {3: 4}; e.plain = 5; raise e")
    assert caught.value.args == ("[1, 2]", "x")
    assert caught.value.extra == "{3: 4}"
    assert caught.value.plain == 5


@case
def the_traceback_names_the_frames_of_the_server(c: Any) -> None:
    c.execute("def outer():\n    inner()\ndef inner():\n    raise LookupError('deep')\n")
    with raises(LookupError) as caught:
        c.namespace["outer"]()
    text = str(caught.value)
    assert text.index("in outer") < text.index("in inner") < text.index("LookupError: deep")


@case
def an_exception_of_a_known_module_is_of_its_class(c: Any) -> None:
    with raises(json.JSONDecodeError) as caught:
        c.modules.json.loads("[1, ")
    assert (caught.value.lineno, caught.value.doc) == (1, "[1, ")


@case
def an_exception_of_an_unknown_class_has_its_name(c: Any) -> None:
    c.execute("__name__ = 'elsewhere'\nclass Odd(Exception): pass\n")
    with raises(Exception) as caught:
        c.execute("raise Odd('really', 1)")
    assert type(caught.value).__name__ == "elsewhere.Odd"
    assert caught.value.args == ("really", 1)
    assert "elsewhere.Odd: ('really', 1)" in str(caught.value)


@case(Differs("it loses the connection", server="rpyc*"))
def an_exception_that_cannot_be_printed_arrives(c: Any) -> None:
    c.execute(
        "class Bad(ValueError):\n"
        "    def __str__(self): raise RuntimeError('no str')\n"
        "    def __repr__(self): raise RuntimeError('no repr')\n"
        "    @property\n"
        "    def broken(self): raise RuntimeError('no attribute')\n"
    )
    with raises(Exception) as caught:
        c.execute("raise Bad(1)")
    assert not isinstance(caught.value, EOFError)
    assert c.eval("1+1") == 2


@case
def a_syntax_error_is_one(c: Any) -> None:
    with raises(SyntaxError) as caught:
        c.execute("x = ")
    assert caught.value.lineno == 1
    with raises(SyntaxError):
        c.eval("x = 1")


@case
def an_unknown_attribute_is_an_attribute_error(c: Any) -> None:
    with raises(AttributeError):
        c.modules.sys.no_such_thing  # noqa: B018
    with raises(AttributeError):
        c.eval("object()").no_such_thing  # noqa: B018
    with raises(AttributeError):
        c.root.no_such_thing  # noqa: B018
    with raises(AttributeError):
        del c.eval("lambda: 1").no_such_thing


@case
def an_unknown_module_is_an_import_error(c: Any) -> None:
    with raises(ModuleNotFoundError) as caught:
        c.modules["no_such_module"]
    assert caught.value.name == "no_such_module"


@case(Differs("its `modules` lets the ImportError through", client="rpyc4"))
def an_unknown_module_is_an_unknown_attribute(c: Any) -> None:
    with raises(AttributeError):
        c.modules.no_such_module  # noqa: B018


@case
def stop_iteration_ends_an_iteration(c: Any) -> None:
    iterator = c.eval("iter([1])")
    assert next(iterator) == 1
    with raises(StopIteration):
        next(iterator)
    with raises(StopIteration):
        c.execute("raise StopIteration")


@case
def system_exit_ends_nothing(c: Any) -> None:
    with raises(SystemExit):
        c.modules.sys.exit(3)
    assert c.eval("1+1") == 2


@case(Differs("it ends the thread that serves the client", server="rpyc*"))
def keyboard_interrupt_ends_nothing(c: Any) -> None:
    with raises(KeyboardInterrupt):
        c.execute("raise KeyboardInterrupt")
    assert c.eval("1+1") == 2


@case
def endless_recursion_is_an_exception(c: Any) -> None:
    c.execute("def f():\n    return f()\n")
    with raises(RecursionError):
        c.namespace["f"]()
    assert c.eval("1+1") == 2


# ---- Objects of the server -----------------------------------------------------------------------


@case
def a_remote_list_is_a_list(c: Any) -> None:
    remote = c.eval("[1, 2, 3]")
    assert is_netref(remote)
    assert isinstance(remote, list)
    assert remote.__class__ is list
    assert list(remote) == [1, 2, 3]
    assert [n + 1 for n in remote] == [2, 3, 4]
    assert len(remote) == 3
    assert (remote[0], remote[-1]) == (1, 3)
    assert list(remote[1:]) == [2, 3]
    assert 2 in remote
    assert 7 not in remote
    remote[0] = "one"
    remote.append((4, 5))
    del remote[1]
    assert repr(remote) == "['one', 3, (4, 5)]"
    assert str(remote) == "['one', 3, (4, 5)]"
    assert "append" in dir(remote)
    with raises(IndexError):
        remote[10]
    with raises(TypeError):
        hash(remote)


@case
def a_remote_dict_is_a_dict(c: Any) -> None:
    remote = c.eval("{'a': 1, (2, 3): [4]}")
    assert isinstance(remote, dict)
    assert remote["a"] == 1
    assert remote[2, 3][0] == 4
    assert remote.get("b", 9) == 9
    assert sorted(map(str, remote)) == ["(2, 3)", "a"]
    assert {key: str(value) for key, value in remote.items()} == {"a": "1", (2, 3): "[4]"}
    remote["b"] = remote
    assert remote["b"]["b"]["a"] == 1
    with raises(KeyError) as caught:
        remote["zzz"]
    assert caught.value.args == ("zzz",)


@case
def a_remote_generator_runs_on_demand(c: Any) -> None:
    c.execute(
        "seen = []\ndef count():\n    for n in range(100):\n        seen.append(n); yield n\n"
    )
    generator = c.namespace["count"]()
    assert [next(generator), next(generator)] == [0, 1]
    assert c.eval("len(seen)") == 2
    assert list(generator) == list(range(2, 100))


@case
def buffiter_gets_many_items_at_once(c: Any) -> None:
    assert list(buffiter(c.eval("iter(range(50))"), chunk=7)) == list(range(50))
    assert list(buffiter(c.eval("[[1], 'b', (3, [4])]"), 2))[1] == "b"


@case
def attributes_can_be_read_set_and_deleted(c: Any) -> None:
    c.execute("class Thing: shared = 1\nthing = Thing()")
    thing = c.namespace["thing"]
    assert thing.shared == 1
    thing.own = "mine"
    assert c.eval("thing.own") == "mine"
    thing.own = [1]
    assert c.eval("thing.own")[0] == 1
    assert "own" in dir(thing)
    del thing.own
    assert not hasattr(thing, "own")
    assert c.eval("hasattr(thing, 'own')") is False
    assert type(thing).__name__ == "builtins.Thing"


@case
def the_root_cannot_be_changed(c: Any) -> None:
    with raises(AttributeError):
        c.root.extra = 1
    with raises(AttributeError):
        c.root.eval = None
    with raises(AttributeError):
        del c.root.eval
    assert c.eval("1+1") == 2


@case
def repr_str_and_hash_are_those_of_the_server(c: Any) -> None:
    c.execute(
        "class Thing:\n"
        "    def __repr__(self): return 'the repr \\u2603'\n"
        "    def __str__(self): return 'the str'\n"
        "    def __hash__(self): return 123456789012345\n"
    )
    thing = c.eval("Thing()")
    assert repr(thing) == "the repr \N{SNOWMAN}"
    assert str(thing) == "the str"
    assert hash(thing) == 123456789012345
    assert {thing: 1}[thing] == 1
    text = c.eval("object()")
    assert hash(text) == c.builtins.hash(text)


@case
def comparisons_are_those_of_the_server(c: Any) -> None:
    a, b, c3 = c.eval("[1, 2]"), c.eval("[1, 2]"), c.eval("[1, 3]")
    assert a == b
    assert not a != b
    assert a != c3
    assert a < c3
    assert a <= b
    assert c3 > a
    assert c3 >= a
    assert a != 5
    assert not a == "x"
    with raises(TypeError):
        a < 5  # noqa: B015
    decimal = c.modules.decimal.Decimal("1.5")
    assert decimal > 1
    assert decimal == 1.5
    assert decimal + 1 == c.modules.decimal.Decimal("2.5")


@case
def calls_take_positions_and_keywords(c: Any) -> None:
    function = c.eval("lambda *a, **k: (a, tuple(sorted(k.items())))")
    assert function() == ((), ())
    assert function(1, "b", z=2, y=(3,)) == ((1, "b"), (("y", (3,)), ("z", 2)))
    assert list(c.builtins.sorted((3, 1, 2), reverse=True)) == [3, 2, 1]
    assert c.eval("'{} {name}'").format("a", name="b") == "a b"
    with raises(TypeError):
        c.builtins.len(1, 2, 3)
    with raises(TypeError):
        c.builtins.len(nonsense=1)
    with raises(TypeError):
        c.eval("object()")()


@case
def methods_and_classes_can_be_called(c: Any) -> None:
    c.execute(
        "class Thing:\n"
        "    def __init__(self, n): self.n = n\n"
        "    def plus(self, m=0): return self.n + m\n"
        "    def __call__(self, x): return ('called', x)\n"
        "    @classmethod\n"
        "    def make(cls): return cls(7)\n"
        "    @staticmethod\n"
        "    def static(x): return x\n"
    )
    cls = c.namespace["Thing"]
    thing = cls(5)
    assert thing.plus(m=1) == 6
    bound = thing.plus
    assert bound(2) == 7
    assert thing("x") == ("called", "x")
    assert cls.make().n == 7
    assert cls.static(8) == 8
    assert cls.__name__ == "Thing"


@case
def isinstance_knows_remote_classes(c: Any) -> None:
    c.execute("class Base: pass\nclass Derived(Base): pass\n")
    base, derived = c.namespace["Base"], c.namespace["Derived"]
    assert isinstance(base(), base)
    assert isinstance(c.eval("[]"), c.builtins.list)
    assert not isinstance(c.eval("[]"), c.builtins.dict)
    assert not isinstance(base(), derived)
    assert c.builtins.isinstance(derived(), base) is True
    assert c.builtins.issubclass(derived, base) is True
    with raises(TypeError):
        isinstance(base(), base())


@case(Differs("it knows the classes alone that it holds netrefs of", server="rpyc*"))
def isinstance_knows_remote_base_classes(c: Any) -> None:
    c.execute("class Base: pass\nclass Derived(Base): pass\n")
    assert isinstance(c.namespace["Derived"](), c.namespace["Base"])
    assert isinstance(c.eval("[]"), c.builtins.object)


@case
def a_remote_class_knows_its_methods(c: Any) -> None:
    c.execute("class Thing:\n    def method(self):\n        'What it does.'\n")
    thing = c.eval("Thing()")
    assert type(thing).method.__doc__ == "What it does."
    assert thing.method.__doc__ == "What it does."
    assert callable(c.eval("len"))
    assert not callable(thing)


@case
def a_remote_object_can_be_pickled_and_obtained(c: Any) -> None:
    remote = c.eval("[1, {'a': (2.5, None)}, b'x']")
    copy = rpyc.classic.obtain(remote)
    assert type(copy) is list
    assert copy == [1, {"a": (2.5, None)}, b"x"]
    assert pickle.loads(pickle.dumps(c.eval("{1, 2}"))) == {1, 2}


@case
def old_slicing_is_answered(c: Any) -> None:
    remote = c.eval("[1, 2, 3, 4]")
    old = consts.HANDLE_OLDSLICING
    result = c.sync_request(old, remote, "__getitem__", "__getslice__", 1, 3, ())
    assert list(result) == [2, 3]
    c.sync_request(old, remote, "__setitem__", "__setslice__", 0, 2, (("a",),))
    assert list(remote) == ["a", 3, 4]
    c.execute("class Old:\n    def __getslice__(self, *a): return a\n")
    old_object = c.eval("Old()")
    result = c.sync_request(old, old_object, "__getitem__", "__getslice__", 1, None, ())
    assert result == (1, sys.maxsize)


@case
def a_remote_context_manager_works(c: Any) -> None:
    lock = c.eval("__import__('threading').Lock()")
    with lock:
        assert lock.locked() is True
    assert lock.locked() is False
    with c.builtins.open("/dev/null") as file:
        assert file.read() == ""
    assert file.closed


MANAGER = """
class Manager:
    def __init__(self, answer):
        self.answer = answer
        self.seen = 'nothing'
    def __enter__(self):
        return self
    def __exit__(self, cls, value, traceback):
        self.seen = cls
        return self.answer
"""


@case
def a_remote_context_manager_is_told_of_an_exception(c: Any) -> None:
    c.execute(MANAGER)
    manager = c.eval("Manager(None)")
    with raises(OSError) as caught, manager:
        raise OSError(5, "ours")
    assert caught.value.args == (5, "ours")
    c.namespace["manager"] = manager
    assert c.eval("manager.seen not in (None, 'nothing')")
    with manager:
        pass
    assert manager.seen is None
    lock = c.eval("__import__('threading').Lock()")
    with raises(KeyError), lock:
        raise KeyError(1)
    assert lock.locked() is False


@case(Differs("__exit__ gets the TypeError of raising a netref", server="rpyc*"))
def a_remote_context_manager_sees_the_true_exception(c: Any) -> None:
    c.execute(MANAGER)
    manager = c.eval("Manager(None)")
    c.namespace["manager"] = manager
    for error in (OSError(5), KeyError("k"), ValueError(), AssertionError("x")):
        with raises(type(error)), manager:
            raise error
        c.namespace["name"] = type(error).__name__
        assert c.eval("issubclass(manager.seen, getattr(__import__('builtins'), name))"), error


NOTING_MANAGER = """
class Noting:
    def __enter__(self): return self
    def __exit__(self, cls, value, traceback):
        self.seen = cls.__module__, cls.__name__, value.args, str(value)
        self.value = value
        self.right = type(value) is cls and traceback is None
"""


class Unknown(Exception):
    """A class that the server does not have."""


ERRORS = [
    ValueError("the reason", 5),
    KeyError("key"),
    OSError(2, "text", "name"),
    UnicodeDecodeError("utf8", b"x", 0, 1, "why"),
    SyntaxError("text", ("file", 1, 2, "line")),
    json.JSONDecodeError("text", "document", 3),
    SystemExit(5),
    GeneratorExit("text"),
]


@case(Differs("__exit__ gets the TypeError of raising a netref", server="rpyc*"))
def a_remote_context_manager_gets_the_arguments_and_the_text(c: Any) -> None:
    c.execute(NOTING_MANAGER)
    for error in ERRORS:
        manager = c.eval("Noting()")
        with raises(type(error)), manager:
            raise error
        cls = type(error)
        assert manager.seen == (cls.__module__, cls.__name__, error.args, str(error))
        assert manager.right
    manager = c.eval("Noting()")
    with raises(OSError), manager:
        raise OSError(2, "text", "name")
    value = manager.value
    assert (value.errno, value.strerror, value.filename) == (2, "text", "name")
    mine: list[int] = []
    error = Unknown("text", mine)
    error.extra = 7
    with raises(Unknown), manager:
        raise error
    assert manager.seen[1].endswith("Unknown")
    assert manager.seen[2][1] is mine
    assert manager.value.extra == 7


@case(Differs("__exit__ gets the TypeError of raising a netref", server="rpyc*"))
def an_exception_that_the_server_raised_comes_to_its_context_manager(c: Any) -> None:
    c.execute(NOTING_MANAGER)
    manager = c.eval("Noting()")
    with raises(ZeroDivisionError), manager:
        c.eval("1 / 0")
    assert manager.seen[:3] == ("builtins", "ZeroDivisionError", ("division by zero",))


@case
def a_remote_context_manager_may_be_left_outside_of_with(c: Any) -> None:
    c.execute(MANAGER)
    manager = c.eval("Manager(5)")
    assert manager.__exit__(ValueError, ValueError("x"), None) == 5
    assert manager.seen is not None
    assert manager.__exit__(None, None, None) == 5
    assert manager.seen is None


@case
def a_remote_context_manager_may_swallow_an_exception(c: Any) -> None:
    c.execute(MANAGER)
    with c.eval("Manager(True)"):
        raise KeyError("swallowed")


@case
def modules_know_what_they_contain(c: Any) -> None:
    assert "os" in c.modules
    assert "json" in c.modules
    assert "no_such_module" not in c.modules


@case
def the_namespace_belongs_to_the_connection(c: Any) -> None:
    other = connect()
    c.execute("mine = 1")
    with raises(NameError):
        other.eval("mine")
    other.execute("mine = 2")
    assert (c.eval("mine"), other.eval("mine")) == (1, 2)
    other.close()
    assert "mine" in c.namespace
    other = connect()
    assert "mine" not in other.namespace
    other.close()


@case
def requests_can_be_asynchronous(c: Any) -> None:
    add = rpyc.async_(c.eval("lambda a, b: a + b"))
    results = [add(n, 1) for n in range(50)]
    assert [result.value for result in results] == list(range(1, 51))
    failing = rpyc.async_(c.eval("lambda: 1/0"))()
    failing.wait()
    assert failing.error
    with raises(ZeroDivisionError):
        failing.value  # noqa: B018


@case
def a_request_can_start_processes(c: Any) -> None:
    output = c.modules.subprocess.check_output(("echo", "from the debuggee"))
    assert output == b"from the debuggee\n"


# ---- Objects of the client -----------------------------------------------------------------------


@case
def a_function_of_the_client_is_called_back(c: Any) -> None:
    assert c.eval("lambda f: f(21)*2")(lambda x: x) == 42
    keywords = c.eval("lambda f: f(1, *(2, 3), key='v', other=None)")
    assert keywords(lambda *a, **k: (a, tuple(sorted(k)))) == ((1, 2, 3), ("key", "other"))
    assert list(c.builtins.map(lambda n: n * 2, (1, 2, 3))) == [2, 4, 6]
    assert list(c.builtins.sorted((1, 2, 3), key=lambda n: -n)) == [3, 2, 1]


@case
def callbacks_call_back(c: Any) -> None:
    bounce = c.eval("lambda f, n: f(n)")

    def down(n: int) -> int:
        return n if n == 0 else 1 + bounce(down, n - 1)

    assert down(20) == 20


@case
def an_exception_in_a_callback_reaches_the_server(c: Any) -> None:
    c.execute(
        "def attempt(f):\n"
        "    try:\n"
        "        f()\n"
        "    except KeyError as error:\n"
        "        return ('caught', error.args)\n"
    )

    def fail() -> None:
        raise KeyError("from the client", 5)

    assert c.namespace["attempt"](fail) == ("caught", ("from the client", 5))
    with raises(KeyError) as caught:
        c.eval("lambda f: f()")(fail)
    assert caught.value.args == ("from the client", 5)

    def stop() -> None:
        raise StopIteration

    with raises(StopIteration):
        c.eval("lambda f: f()")(stop)


@case
def a_method_of_the_client_is_called_without_waiting_for_the_kernel(c: Any) -> None:
    """Each call drops a bound method: that is a DEL, and two replies of the client's in a row. Its
    kernel holds the second one back until the first is acknowledged, which can take 40 ms."""
    c.execute("def call(thing):\n    for n in range(400): thing.method(n)\n")
    c.namespace["call"](Thing())


@case
def containers_of_the_client_work_on_the_server(c: Any) -> None:
    numbers = [3, 1, 2]
    assert c.builtins.sum(numbers) == 6
    assert c.builtins.sorted(numbers)[0] == 1
    assert c.eval("lambda l: [x * 2 for x in l]")(numbers)[2] == 4
    assert c.eval("lambda l: (len(l), l[0], l[-1], 2 in l, 9 in l)")(numbers) == (
        (3, 3, 2, True, False)
    )
    c.eval("lambda l: l.append([4])")(numbers)
    assert numbers[3][0] == 4
    c.execute("def change(l):\n    l[0] = 'changed'\n    del l[1]\n")
    c.namespace["change"](numbers)
    assert numbers[:2] == ["changed", 2]

    mapping: dict[Any, Any] = {"a": 1}
    assert c.eval("lambda d: (d['a'], sorted(d), d.get('z'))")(mapping)[0] == 1
    assert c.eval("lambda d: tuple(dict(d).items())")(mapping) == (("a", 1),)
    assert c.eval("lambda d: tuple({**d}.items())")(mapping) == (("a", 1),)
    assert c.eval("lambda s: '%s' % (3 in s)")({3}) == "True"
    assert c.eval("lambda d: repr(d) + str(d)")(mapping) == "{'a': 1}{'a': 1}"
    with raises(KeyError):
        c.eval("lambda d: d['zzz']")(mapping)


@case
def containers_of_the_client_are_instances_of_their_class(c: Any) -> None:
    check = c.eval("lambda o, name: isinstance(o, getattr(__import__('builtins'), name))")
    assert check([], "list") is True
    assert check({}, "dict") is True
    assert check({}, "list") is False
    assert c.eval("lambda o: o.__class__ is dict")({}) is True


@case
def an_iterator_of_the_client_is_iterated_on_the_server(c: Any) -> None:
    assert list(c.builtins.list(n * n for n in range(5))) == [0, 1, 4, 9, 16]
    assert c.builtins.tuple(iter([1, 2])) == (1, 2)
    assert c.builtins.max(iter("hello")) == "o"


class Thing:
    """An object of the client, with all that the server may use."""

    def __init__(self) -> None:
        self.text = "mine"
        self.entered: list[Any] = []

    def method(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        return args, tuple(kwargs.items())

    def __enter__(self) -> str:
        self.entered.append("enter")
        return "entered"

    def __exit__(self, *error: object) -> bool:
        self.entered.append(error[0])
        return True

    def __repr__(self) -> str:
        return "repr \N{SNOWMAN}"

    def __str__(self) -> str:
        return "str"

    def __hash__(self) -> int:
        return 4711

    def __eq__(self, other: object) -> bool:
        return other == "equal" or other is self

    def __lt__(self, other: object) -> bool:
        return other == "more"

    def __add__(self, other: Any) -> Any:
        return ("sum", other)

    def __bool__(self) -> bool:
        return False

    def __call__(self, x: Any) -> Any:
        return ("called", x)


@case
def an_object_of_the_client_works_on_the_server(c: Any) -> None:
    thing = Thing()
    c.namespace["thing"] = thing
    assert c.eval("thing.text") == "mine"
    c.execute("thing.text = 'theirs'")
    assert thing.text == "theirs"
    c.execute("thing.extra = [1]")
    assert thing.extra[0] == 1  # type: ignore[attr-defined]
    c.execute("del thing.extra")
    assert not hasattr(thing, "extra")
    assert c.eval("hasattr(thing, 'nope')") is False
    assert c.eval("thing.method(1, k=2)") == ((1,), (("k", 2),))
    assert c.eval("thing('x')") == ("called", "x")
    assert c.eval("repr(thing)") == "repr \N{SNOWMAN}"
    assert c.eval("str(thing) + f'{thing}'").startswith("str")
    assert c.eval("hash(thing)") == 4711
    assert c.eval("{thing: 1}[thing]") == 1
    assert c.eval("(thing == 'equal', thing != 'equal', thing == 'x')") == (True, False, False)
    assert c.eval("(thing < 'more', thing < 'less')") == (True, False)
    assert c.eval("thing + 5") == ("sum", 5)
    assert c.eval("bool(thing)") is False
    assert "method" in c.eval("tuple(dir(thing))")
    assert c.eval("callable(thing)") is True
    c.execute("with thing as inside:\n    assert inside == 'entered'\n")
    assert thing.entered == ["enter", None]


@case
def a_request_can_wait_for_a_thread_that_calls_the_client(c: Any) -> None:
    c.execute(
        "import threading\n"
        "def call(f):\n"
        "    results = []\n"
        "    def run(n):\n"
        "        results.append(f(n))\n"
        "    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    return tuple(sorted(results))\n"
    )
    assert c.namespace["call"](lambda n: n * n) == (0, 1, 4, 9)


@case
def a_thread_of_the_debuggee_can_call_the_client_later(c: Any) -> None:
    c.execute(
        "import threading\n"
        "results, go = [], threading.Event()\n"
        "def run(f):\n"
        "    go.wait()\n"
        "    for n in range(5):\n"
        "        results.append(f(n))\n"
        "def start(f):\n"
        "    threading.Thread(target=run, args=(f,), daemon=True).start()\n"
    )
    c.namespace["start"](lambda n: n * n)
    c.eval("go.set()")
    wait_until(lambda: c.eval("len(results)") == 5, "the thread to have called")
    assert c.eval("tuple(results)") == (0, 1, 4, 9, 16)


#: What a stock server says that sees the end on one thread while another one sends.
RELEASED_TWICE = "release unlocked lock"


@case
def a_thread_of_the_debuggee_outlives_the_client_that_it_calls(c: Any) -> None:
    other = connect()
    other.execute(
        "import threading, __main__\n"
        "__main__.answers, __main__.go = [], threading.Event()\n"
        "def run(f):\n"
        "    __main__.go.wait()\n"
        "    try:\n"
        "        f()\n"
        "    except BaseException as error:\n"
        "        __main__.answers.append((type(error).__name__, str(error)))\n"
        "def start(f):\n"
        "    threading.Thread(target=run, args=(f,), daemon=True).start()\n"
    )
    other.namespace["start"](lambda: None)
    c.execute("import __main__")
    other.close()
    c.eval("__main__.go.set()")
    wait_until(lambda: c.eval("len(__main__.answers)") == 1, "the thread to have failed")
    name, text = c.eval("__main__.answers[0]")
    assert name == "EOFError" or RELEASED_TWICE in text


@case
def requests_are_served_in_order(c: Any) -> None:
    c.execute("order = []")
    append = rpyc.async_(c.eval("order.append"))
    results = [append(n) for n in range(200)]
    for result in results:
        result.wait()
    assert c.eval("tuple(order)") == tuple(range(200))


@case
def several_threads_of_the_client_share_a_connection(c: Any) -> None:
    failures: list[BaseException] = []
    echo = c.eval("lambda f, n: f(n)")

    def work(number: int) -> None:
        try:
            for n in range(20):
                assert echo(lambda x: (x, number), n) == (n, number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures


@case
def a_request_is_served_while_the_one_of_another_thread_is_called_back(c: Any) -> None:
    called, done = threading.Event(), threading.Event()
    results: list[Any] = []

    def callback() -> str:
        called.set()
        return "in time" if done.wait(PATIENCE) else "too late"

    call = c.eval("lambda f: f()")
    first = threading.Thread(target=lambda: results.append(call(callback)))
    first.start()
    assert called.wait(PATIENCE)
    assert c.eval("1+1") == 2
    done.set()
    first.join(PATIENCE)
    assert results == ["in time"]


@case
def a_file_of_the_client_can_be_stdout_for_a_while(c: Any) -> None:
    class File:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            pass

    file = File()
    c.execute("def say(file):\n    print('to the client', 1, file=file)\n")
    c.namespace["say"](file)
    assert file.text == "to the client 1\n"


# ---- Who keeps what ------------------------------------------------------------------------------

MORTAL = """
class Mortal:
    buried = []
    def __del__(self):
        self.buried.append(1)
"""


@case
def an_object_dies_when_the_client_drops_it(c: Any) -> None:
    c.execute(MORTAL)
    mortal = c.eval("Mortal()")
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    del mortal
    gc.collect()
    wait_until(lambda: c.eval("len(Mortal.buried)") == 1, "the object's __del__")


@case
def an_object_that_was_sent_often_dies_with_the_last(c: Any) -> None:
    c.execute(MORTAL + "held = [Mortal()]\n")
    hold = [c.eval("held[0]") for _ in range(25)]
    assert all(one is hold[0] for one in hold)
    hold.extend(c.eval("(held[0], (held[0],))")[:1])
    c.execute("held.clear()")
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    hold.clear()
    gc.collect()
    wait_until(lambda: c.eval("len(Mortal.buried)") == 1, "the object's __del__")


@case
def an_object_outlives_the_client_that_shares_it(c: Any) -> None:
    other = connect()
    c.execute(MORTAL + "import __main__; __main__.shared = Mortal()\n")
    ours, theirs = c.eval("__main__.shared"), other.eval("__import__('__main__').shared")
    c.execute("del __main__.shared")
    del theirs
    other.close()
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    assert "__del__" in dir(ours)


@case
def objects_die_with_the_connection(c: Any) -> None:
    other = connect()
    other.execute(MORTAL + "import __main__; __main__.buried = Mortal.buried\n")
    c.execute("import __main__, gc; buried = __main__.buried")
    held = [other.eval("Mortal()") for _ in range(5)]
    other.execute("mine = Mortal()")
    other.close()
    # What the namespace held is a circle, for the class is in it: that takes a garbage collector.
    wait_until(lambda: c.eval("(gc.collect(), len(buried))")[1] == 6, "all six __del__")
    assert len(held) == 5


@case
def an_object_of_the_client_dies_when_the_server_drops_it(c: Any) -> None:
    thing = Thing()
    alive = weakref.ref(thing)
    c.namespace["thing"] = thing
    c.eval("lambda *things: None")(thing, thing, (thing,))
    del thing
    gc.collect()
    assert alive() is not None
    c.execute("del thing")

    def gone() -> bool:
        c.ping()
        gc.collect()
        return alive() is None

    wait_until(gone, "the client's object to be given back")


# ---- What the debuggee notices -------------------------------------------------------------------


@case(Differs("each client has a Thread", server="rpyc*"))
def the_debuggee_has_no_more_threads_than_before(c: Any) -> None:
    names = "tuple(t.name.split()[0] for t in threading.enumerate())"
    c.execute("import threading, logging")
    expected = ("MainThread", "Thread-1")
    assert c.eval(names) == expected
    assert c.eval("threading.active_count()") == 2
    c.eval("threading.current_thread()")
    c.eval("logging.getLogger('x').debug('creates a record')")
    c.execute("logging.LogRecord('x', 10, 'p', 1, 'm', (), None)")
    assert c.eval(names) == expected
    assert c.eval("len(threading._active)") == 2
    c.execute("t = threading.Thread(target=len, args=((),)); t.start(); t.join()")
    assert c.eval(names) == expected


@case
def signals_of_a_request_are_not_blocked(c: Any) -> None:
    blocked = c.eval("tuple(__import__('signal').pthread_sigmask(0, ()))")
    assert blocked == ()
    status = c.modules.subprocess.check_output(("cat", "/proc/self/status")).decode()
    assert "SigBlk:\t0000000000000000\n" in status


@case
def signals_are_not_blocked_around_a_request_within_a_request(c: Any) -> None:
    c.execute(
        "import signal, subprocess\n"
        "def blocked():\n"
        "    return tuple(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))\n"
        "def call(f):\n"
        "    f(object())\n"
        "    return blocked(), subprocess.check_output(('cat', '/proc/self/status')).decode()\n"
    )
    within: list[Any] = []
    blocked, status = c.namespace["call"](lambda thing: within.append(c.eval("blocked()")))
    assert within == [()]
    assert blocked == ()
    assert "SigBlk:\t0000000000000000\n" in status


@case
def wait_forever_in_a_callback(c: Any) -> None:
    """For a test that kills this client meanwhile."""

    def forever() -> None:
        print(json.dumps("in the callback"), flush=True)
        signal.pause()

    c.eval("lambda f: f()")(forever)


#: Cases that do not end by themselves.
ENDLESS = {"wait_forever_in_a_callback"}


def describe(error: BaseException) -> str:
    """The traceback, and the variables of the case, but not those that live elsewhere."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in CASES:
            shown = {n: v for n, v in frame.f_locals.items() if n != "c" and not is_netref(v)}
            text += "".join(f"    {name} = {value!r:.200}\n" for name, value in shown.items())
    return text


def main() -> None:
    """Runs cases as stdin says: `{"case": name, "address": ...}` line by line, each of which is
    answered with the failure or None."""
    global PATIENCE
    PATIENCE = float(sys.argv[1])
    print(".".join(map(str, rpyc.version.version)), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        address.clear()
        address.update(task["address"])
        failure = None
        try:
            connection = connect()
            try:
                CASES[task["case"]](connection)
            finally:
                connection.close()
        except BaseException as error:
            failure = describe(error)
        gc.collect()
        print(json.dumps({"failure": failure}), flush=True)
