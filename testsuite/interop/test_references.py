# SPDX-License-Identifier: BSD-3-Clause
"""Objects that change or are deleted while the extension uses them: by a property, __eq__ or
__del__.

Freed objects must not be used. If the result does not show it, the builds with sanitizers and with
a debug Python detect it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from harness import Debuggee, wait_until
from rpyc.core import consts

Connect = Callable[[Debuggee], Any]


@pytest.fixture
def client(ours: Debuggee, connect: Connect) -> Any:
    """A stock client. `module` in its namespace puts code into a module that is imported."""
    made = connect(ours)
    made.execute(
        "import gc, sys, types\n"
        "def module(name, text):\n"
        "    made = sys.modules[name] = types.ModuleType(name)\n"
        "    exec(text, vars(made))\n"
        "    return made\n"
    )
    return made


# ---- Docstrings ----------------------------------------------------------------------------------

#: A class whose method is documented by a base class, after another base class with a property.
DOCUMENTED = """
import gc, sys
class Asked:
    @property
    def __doc__(self):
        {action}
        sys._clear_type_cache()  # which keeps names
        gc.collect()
        global junk
        junk = [bytes(n) for n in range(200) for _ in range(10)]
    def __call__(self): pass
class Last:
    def method(self): "documented"
class First(Last):
    method = Asked()
class Sub(First):
    def method(self): pass
Sub.method.__name__ = "".join(["met", "hod"])
"""

ACTIONS = {
    "renamed": "Sub.__dict__['method'].__name__ = 'other'",
    "in another class": "Sub.__dict__['method'].__qualname__ = 'Other.other'",
    "in another module": "Sub.__dict__['method'].__module__ = 'other'",
    "without its module": "sys.modules.pop(__name__)",
    "without a class": "globals().pop('Sub', None)",
    "in a class without bases": "Sub.__bases__ = (Last,)",
    "replaced": "Sub.method = None",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_method_that_changes_while_its_docstring_is_looked_for(client: Any, action: str) -> None:
    client.namespace["text"] = DOCUMENTED.format(action=ACTIONS[action])
    client.execute("module('documented', text)")
    thing = client.eval("sys.modules['documented'].Sub()")
    assert type(thing).method.__doc__ == "documented"


#: An object as the name of a module. Its __str__ changes the function that it belongs to.
NAMED = """
class Name:
    def __str__(self):
        Sub.method.__module__ = "other"
        Sub.method.__qualname__ = "".join(["Oth", "er.other"])
        return "named"
class Sub:
    def method(self): pass
Sub.method.__module__ = Name()
"""


def test_a_function_that_changes_when_the_name_of_its_module_is_asked_for(client: Any) -> None:
    client.namespace["text"] = NAMED
    client.execute("module('named', text)")
    assert type(client.eval("sys.modules['named'].Sub()")).method.__doc__ is None


#: A class with a key that equals a name. When it is compared, it deletes everything.
KEYED = """
import gc, sys
class Key:
    def __hash__(self): return hash("Inner")
    def __eq__(self, other):
        vars(sys.modules["keyed"]).pop("Outer", None)
        gc.collect()
        return False
class Inner:
    def method(self): pass
    method.__qualname__ = "Outer.Inner.method"
Outer = type("Outer", (), {Key(): 1, "Inner": Inner, "__module__": "keyed"})
"""


def test_a_class_that_goes_away_while_it_is_looked_into(client: Any) -> None:
    client.namespace["text"] = KEYED
    client.execute("module('keyed', text)")
    assert type(client.eval("sys.modules['keyed'].Inner()")).method.__doc__ is None


# ---- Exceptions ----------------------------------------------------------------------------------

#: Exceptions whose attributes find the lists that the extension has made for them, and clear them.
EMPTYING = """
import gc
def empty(is_it):
    for each in gc.get_objects():
        if type(each) is list and each and is_it(each):
            each.clear()
class Names(Exception):
    @property
    def aaa(self):
        empty(lambda it: "with_traceback" in [x for x in it if type(x) is str])
        return 5
    zzz = 6
class Value:
    def __repr__(self):
        empty(lambda it: type(it[0]) is tuple and len(it[0]) == 2 and it[0][0] == "aaa")
        return "value"
class Values(Exception):
    aaa, zzz = Value(), Value()
def fail(cls): raise cls
"""


@pytest.mark.parametrize("name", ["Names", "Values"])
def test_an_exception_that_empties_what_is_made_of_it(client: Any, name: str) -> None:
    client.execute(EMPTYING)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        client.namespace["fail"](client.namespace[name])
    assert type(caught.value).__name__ == f"builtins.{name}"
    expected = {"Names": (5, 6), "Values": ("value", "value")}[name]
    assert (caught.value.aaa, caught.value.zzz) == expected


# ---- Types ---------------------------------------------------------------------------------------


#: A class whose objects are no exceptions, and one that is no exception class. `name_of` calls a
#: function of the client.
ODD = """
ran = []
module("odd", "class Odd(Exception):\\n    def __new__(cls): return 5").ran = ran
exec("class Plain:\\n    def __init_subclass__(cls): ran.append(cls)", vars(sys.modules["odd"]))
def name_of(call):
    try: call()
    except BaseException as error: return type(error).__name__
def count():
    gc.collect()
    return sum(each.__module__.endswith("vinegar/odd") for each in Exception.__subclasses__())
"""


def test_an_exception_of_a_class_that_is_not_one_is_of_a_stand_in(client: Any) -> None:
    """The stand-ins for the classes that a client names are not kept for ever."""
    client.execute(ODD)
    name_of = client.namespace["name_of"]

    def name_for(name: str) -> str:
        cls = type(name, (Exception,), {"__module__": "odd"})

        def call() -> NoReturn:
            raise cls

        return name_of(call)

    assert [name_for(name) for name in ("Odd", "Plain")] == ["odd.Odd", "odd.Plain"]
    assert client.eval("ran == []")
    for number in range(1000):
        name_for(f"Error{number}")
    assert client.eval("count()") <= 1000


@pytest.mark.parametrize(
    "call", ["__getattribute__(f, 5)", "__setattr__(f, 5, 5)", "__delattr__(f, 5)"]
)
def test_a_netrefs_attribute_has_a_name_that_is_a_str(client: Any, call: str) -> None:
    client.namespace["f"] = lambda: 5
    with pytest.raises(TypeError, match="attribute name must be string, not 'int'"):
        client.eval(f"type(f).{call}")


def test_a_netref_whose_class_is_replaced_when_its_name_is_compared(client: Any) -> None:
    client.namespace["f"], client.namespace["g"] = (lambda: 5), {}
    client.execute(
        "class Name(str):\n"
        "    __hash__ = str.__hash__\n"
        "    def __eq__(self, other):\n"
        "        vars(object)['__class__'].__set__(f, type(g))\n"
        "        gc.collect()\n"
        "        return str.__eq__(self, other)\n"
        "found = object.__repr__(getattr(f, Name('__class__')))\n"
    )
    assert client.eval("type(found) is str")


#: An object that changes to another class when it is asked something. It is the last object of its
#: own class.
TURNING = """
import gc
class Meta(type):
    def __getattribute__(cls, name):
        if name in ("method", "_rpyc_getattr", "__exit__"):
            turn()
            raise AttributeError(name)
        return type.__getattribute__(cls, name)
    def __getattr__(cls, name): return lambda *args: 5
    def __subclasscheck__(cls, other): turn(); return True
class Other: pass
def turn():
    for thing in things:
        thing.__class__ = Other
    things.clear()
    gc.collect()
def make():
    class Thing(metaclass=Meta): _rpyc_getattr = None
    things.append(Thing())
    return things[-1]
things = []
"""


def test_an_object_that_changes_its_class_when_that_is_asked(client: Any) -> None:
    client.execute(TURNING)
    make = client.namespace["make"]
    assert client.sync_request(consts.HANDLE_CMP, make(), 5, "method") == 5
    assert client.sync_request(consts.HANDLE_GETATTR, make(), "x") == 5


# ---- Connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["allow_pickle", "sync_request_timeout"])
def test_a_setting_that_takes_itself_away_when_it_is_looked_at(client: Any, name: str) -> None:
    client.execute(
        "class Setting:\n"
        "    def __bool__(self):\n"
        "        config.clear()\n"
        "        gc.collect()\n"
        "        return True\n"
        f"def set(conn): global config; config = conn._config; config[{name!r}] = Setting()"
    )
    client.namespace["set"](client.eval("5") and client.root.getconn())
    assert client.sync_request(consts.HANDLE_PICKLE, 5, 2)
    client.namespace["f"] = lambda: 5
    assert client.eval("f()") == 5


def test_a_namespace_whose_keys_end_the_connection(
    ours: Debuggee, client: Any, connect: Connect
) -> None:
    last = connect(ours)
    last.execute(
        "import time, weakref\n"
        "class Key:\n"
        "    def __hash__(self): return hash('__builtins__')\n"
        "    def __eq__(self, other):\n"
        "        if armed:\n"
        "            armed.clear()\n"
        "            conn.close()\n"
        "            while held() is not None: time.sleep(0.01)\n"
        "            done.append(1)\n"
        "        return False\n"
        "armed = []\n"
        "def arm(connection, made, list):\n"
        "    global conn, held, done\n"
        "    conn, done = connection, list\n"
        "    held = weakref.ref(made)\n"
        "    namespace = globals()\n"
        "    builtins = namespace.pop('__builtins__')\n"
        "    namespace[Key()] = 5\n"
        "    namespace['__builtins__'] = builtins\n"
        "    armed.append(1)\n"
        "class Made: pass\n"
        "def make(): return Made()\n"
    )
    client.execute("done = []\nsys.done = done")
    made = last.namespace["make"]()  # only the client holds it; it is freed when the client ends
    done = last.modules.sys.done
    with pytest.raises(EOFError):
        last.namespace["arm"](last.root.getconn(), made, done)
        last.ping()
        last.eval("1")
    wait_until(lambda: client.eval("done == [1]"), "the lookup to go on after the end")
    client.execute("del sys.done")
    assert connect(ours).eval("1 + 1") == 2
