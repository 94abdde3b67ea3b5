# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: objects that live in the server's process."""

from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import rpyc
from cases import Differs, case, connect, is_netref, raises
from rpyc.core import consts
from rpyc.utils.helpers import buffiter


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
