# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: rpyc over rpyc. The server is a client of another server, the far one.

See test_chains.py.
"""

from __future__ import annotations

import gc
from typing import Any

import rpyc
from cases import Differs, address, case, is_netref, raises, wait_until


def far(c: Any) -> Any:
    """Returns the connection of the server to the far server."""
    there = address["far"]
    return c.modules["rpyc"].classic.connect(there["host"], there["port"])


THINGS = """
class Thing:
    '''A thing that is far away.'''
    buried = []
    def __init__(self, n=5): self.n = n
    def method(self, a, *, k=0): return self.n, a, k
    def __call__(self, *args, **kwargs): return args, tuple(kwargs.items())
    def __enter__(self): return 'entered'
    def __exit__(self, cls, value, tb): self.seen = cls is None
    def __hash__(self): return 4711
    def __eq__(self, other): return other == 5
    def __del__(self): self.buried.append(1)
class Derived(Thing): pass
class Odd(Exception): pass
def fail(n):
    raise LookupError('far', n)
"""


@case
def values_come_from_afar(c: Any) -> None:
    d = far(c)
    assert d.eval("1 + 1") == 2
    assert d.eval("(1, 'two', (2.5, None, b'x'))") == (1, "two", (2.5, None, b"x"))
    assert d.modules.os.getpid() != c.modules.os.getpid()
    assert d.modules["os.path"].join("a", "b") == "a/b"
    d.execute("x = 5")
    assert d.namespace["x"] == 5
    assert d.builtins.len((1, 2)) == 2
    d.close()
    assert d.closed is True
    assert c.eval("1 + 1") == 2


@case
def a_list_from_afar_is_a_list(c: Any) -> None:
    d = far(c)
    there = d.eval("[1, 2, 3]")
    assert is_netref(there)
    assert isinstance(there, list)
    assert there.__class__ is list
    assert len(there) == 3
    assert (there[0], there[-1]) == (1, 3)
    assert list(there[1:]) == [2, 3]
    assert list(there) == [1, 2, 3]
    assert 2 in there
    assert 7 not in there
    there.append([4])
    assert there[3][0] == 4
    there[0] = "one"
    assert repr(there) == "['one', 2, 3, [4]]"
    assert str(there) == "['one', 2, 3, [4]]"
    assert "append" in dir(there)
    assert type(there).append.__doc__ == list.append.__doc__
    with raises(IndexError):
        there[9]
    with raises(TypeError):
        hash(there)
    assert dict(d.eval("{'a': 1}")) == {"a": 1}
    assert list(d.eval("iter(range(3))")) == [0, 1, 2]
    assert rpyc.classic.obtain(there) == ["one", 2, 3, [4]]
    d.close()


@case
def objects_from_afar_are_used_as_if_they_were_near(c: Any) -> None:
    d = far(c)
    d.execute(THINGS)
    thing = d.eval("Thing()")
    assert thing.n == 5
    thing.n = 6
    assert thing.method(1, k=2) == (6, 1, 2)
    assert thing(1, x=[2][0]) == ((1,), (("x", 2),))
    assert hash(thing) == 4711
    assert thing == 5
    assert thing != 6
    assert callable(thing)
    assert not hasattr(thing, "nothing")
    thing.new = 1
    del thing.new
    assert not hasattr(thing, "new")
    assert d.namespace["Thing"](8).n == 8
    assert thing.__doc__ == "A thing that is far away."
    with thing as inside:
        assert inside == "entered"
    assert thing.seen is True
    with raises(KeyError), thing:
        raise KeyError
    assert thing.seen is False
    with raises(TypeError):
        len(thing)
    d.close()


@case
def classes_from_afar_know_their_instances(c: Any) -> None:
    d = far(c)
    d.execute(THINGS)
    thing, derived = d.namespace["Thing"], d.namespace["Derived"]
    assert isinstance(thing(), thing)
    assert isinstance(d.eval("[]"), d.builtins.list)
    assert d.builtins.isinstance(derived(), thing) is True
    assert d.builtins.issubclass(derived, thing) is True
    assert thing.__name__ == "Thing"
    assert isinstance(d.eval("[]"), list)
    assert c.builtins.isinstance(d.eval("[]"), c.builtins.list) is True
    d.close()


@case(Differs("its INSTANCECHECK goes on as an INSPECT, whose answer is true", server="rpyc*"))
def classes_from_afar_know_what_is_no_instance(c: Any) -> None:
    d = far(c)
    d.execute(THINGS)
    assert not isinstance(d.eval("Thing()"), d.namespace["Derived"])
    assert not isinstance(d.eval("[]"), d.builtins.dict)
    d.close()


@case
def exceptions_from_afar_keep_their_class(c: Any) -> None:
    d = far(c)
    d.execute(THINGS)
    with raises(ZeroDivisionError):
        d.eval("1/0")
    with raises(LookupError) as caught:
        d.namespace["fail"](7)
    assert caught.value.args == ("far", 7)
    text = str(caught.value)
    assert text.index("Remote Traceback (2)") < text.index("Remote Traceback (1)")
    assert "in fail" in text
    with raises(FileNotFoundError) as caught:
        d.builtins.open("/does/not/exist")
    assert (caught.value.errno, caught.value.filename) == (2, "/does/not/exist")
    with raises(Exception) as caught:
        d.execute("raise Odd('text', 1)")
    assert caught.value.args == ("text", 1)
    assert "Odd" in type(caught.value).__name__
    with raises(StopIteration):
        next(d.eval("iter(())"))
    with raises(AttributeError):
        d.eval("object()").nothing  # noqa: B018
    with raises(ImportError):
        d.modules["no_such_module"]
    assert d.eval("1 + 1") == 2
    d.close()


@case
def callbacks_are_called_from_afar(c: Any) -> None:
    d = far(c)
    call = d.eval("lambda f, *a, **k: f(*a, **k)")
    assert call(lambda x: x + 1, 1) == 2
    assert call(lambda *a, **k: (a, tuple(k)), 1, k=2) == ((1,), ("k",))
    seen: list[Any] = []
    call(seen.append, (1, 2))
    assert seen == [(1, 2)]
    assert call(lambda f: f(3), lambda x: x * 2) == 6
    assert list(d.builtins.sorted([3, 1, 2], key=lambda x: -x)) == [3, 2, 1]

    def fail() -> None:
        raise KeyError("near", 5)

    with raises(KeyError) as caught:
        call(fail)
    assert caught.value.args == ("near", 5)
    d.execute(
        "def attempt(f):\n    try: f()\n    except KeyError as error: return 'caught', error.args\n"
    )
    assert d.namespace["attempt"](fail) == ("caught", ("near", 5))
    d.close()


@case
def objects_of_the_client_are_used_far_away(c: Any) -> None:
    d = far(c)
    mine = [3, 1, 2]
    assert d.builtins.sum(mine) == 6
    use = d.eval("lambda l: (len(l), l[0], 2 in l, isinstance(l, list), l.__class__ is list)")
    assert use(mine) == (3, 3, True, True, True)
    d.eval("lambda l: l.append('far')")(mine)
    assert mine[3] == "far"
    assert d.eval("lambda l: l")(mine) is mine
    d.namespace["mine"] = mine
    assert d.eval("mine[0]") == 3
    d.close()


@case
def an_object_from_afar_comes_back_as_itself(c: Any) -> None:
    d = far(c)
    d.execute("thing = object()")
    thing = d.namespace["thing"]
    assert d.eval("lambda t: t is thing")(thing) is True
    assert d.namespace["thing"] is thing
    there = c.eval("lambda o: o")(thing)
    assert there is thing
    assert d.eval("lambda ts: ts[1][0] is thing")((1, (thing,))) is True
    d.close()


@case
def an_object_from_afar_dies_when_the_client_drops_it(c: Any) -> None:
    d = far(c)
    d.execute(THINGS)
    thing = d.eval("Thing()")
    d.ping()
    assert d.eval("len(Thing.buried)") == 0
    del thing
    gc.collect()
    wait_until(lambda: d.eval("len(Thing.buried)") == 1, "the object's __del__")
    d.close()


@case
def a_far_server_that_is_gone_is_an_eof_error(c: Any) -> None:
    d = far(c)
    there = d.eval("[1]")
    d.close()
    with raises(EOFError):
        len(there)
    with raises(EOFError):
        d.eval("1")
    assert c.eval("1 + 1") == 2


@case
def a_chain_can_be_as_long_as_one_likes(c: Any) -> None:
    d = far(far(far(c)))
    assert d.eval("1 + 1") == 2
    there = d.eval("[1, 2]")
    assert isinstance(there, list)
    assert there[1] == 2
    assert len(there) == 2
    assert d.eval("lambda f, x: f(x)")(lambda x: x + 1, 1) == 2
    with raises(ZeroDivisionError):
        d.eval("1/0")
    d.close()
