# SPDX-License-Identifier: BSD-3-Clause
"""More cases for stock clients: objects, and the results of the handlers for them."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from typing import Any

from cases import RELEASED_TWICE, Differs, case, connect, raises, wait_until
from rpyc.core import consts
from rpyc.core.netref import LOCAL_ATTRS
from rpyc.lib import get_id_pack, get_methods

# ---- Requests ------------------------------------------------------------------------------------


@case
def a_reference_that_was_not_given_is_a_key_error(c: Any) -> None:
    unknown = ("elsewhere.Thing", 5, 6)
    with raises(KeyError) as caught:
        c.sync_request(consts.HANDLE_INSPECT, unknown)
    assert caught.value.args == (unknown,)


@case
def the_root_has_the_name_of_its_service(c: Any) -> None:
    assert c.root.get_service_name() == "SLAVE"
    assert tuple(c.root.get_service_aliases()) == ("SLAVE",)
    assert c.root.exposed_get_service_name() == "SLAVE"
    assert tuple(c.root.exposed_get_service_aliases()) == ("SLAVE",)
    with raises(AttributeError) as caught:
        c.root.no_such_name  # noqa: B018
    assert str(caught.value).startswith("'SlaveService' object has no attribute 'no_such_name'")


# ---- Classes of the client in the server ---------------------------------------------------------


class Base:
    """A class that the server does not know."""


class Derived(Base):
    """A class that derives from Base."""


class Meta(type):
    """A metaclass with its own __instancecheck__."""

    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, list)


class Judged(metaclass=Meta):
    """Meta decides which objects are instances of this class."""


@case
def a_class_of_the_client_that_is_known_knows_its_instances(c: Any) -> None:
    check = c.eval("lambda cls, text: isinstance(eval(text), cls)")
    assert check(int, "5") is True
    assert check(int, "'5'") is False
    assert check(dict, "__import__('collections').OrderedDict()") is True
    assert check(KeyError, "KeyError(1)") is True
    assert check(LookupError, "KeyError(1)") is True


@case(Differs("it is not prepared for classes that it does not know", server="rpyc*"))
def nothing_of_the_server_is_an_instance_of_a_class_it_does_not_know(c: Any) -> None:
    check = c.eval("lambda cls, text: isinstance(eval(text), cls)")
    assert check(Base, "5") is False
    assert check(Base, "object()") is False


@case
def objects_of_the_client_are_instances_of_their_classes(c: Any) -> None:
    check = c.eval("lambda o, cls: isinstance(o, cls)")
    assert check(Base(), Base) is True
    assert check([], list) is True
    assert check([], dict) is False
    assert check(Base(), Derived) is False
    with raises(TypeError):
        check(Base(), Base())
    with raises(TypeError):
        check(5, Base())


@case(Differs("it says what is true of classes that it has seen", server="rpyc*"))
def objects_of_the_client_are_instances_of_base_classes(c: Any) -> None:
    check = c.eval("lambda o, cls: isinstance(o, cls)")
    assert check(Derived(), Base) is True
    assert check(Derived(), object) is True
    assert check([], Judged) is True
    assert check({}, Judged) is False


@case(Differs("what a class is that it does not know is a guess", server="rpyc*"))
def a_class_of_the_client_is_a_type(c: Any) -> None:
    check = c.eval("lambda o: isinstance(o, type)")
    assert check(int) is True
    assert check(Base) is True
    assert check(Meta) is True
    assert check(Base()) is False
    assert check(5) is False


@case
def the_class_of_an_object_of_the_client_says_where_it_was_made(c: Any) -> None:
    known = c.eval("lambda o: type(o).__module__ in ('rpyc.core.netref', '_pystuck')")
    assert known([]) is True
    assert known(Base()) is True
    assert known(Base) is True
    name = c.eval("lambda o: '%s.%s' % (type(o).__module__, type(o).__qualname__)")
    assert "list" in name([]) or "type" in name([])
    assert c.eval("lambda o: 'class' in repr(type(o))")(Base()) is True


KINDS = """
import inspect, sys, types
def kinds(o):
    names = ("FunctionType", "MethodType", "BuiltinFunctionType", "GeneratorType", "ModuleType")
    found = [name for name in names if isinstance(o, getattr(types, name))]
    found += [name for name in ("int", "list", "dict") if isinstance(o, eval(name))]
    found += [name for name in ("isfunction", "ismethod") if getattr(inspect, name)(o)]
    return (*found, isinstance(o, type(None)))
"""


def kinds_of_objects() -> list[tuple[Any, tuple[Any, ...]]]:
    """Yields objects of the client, and what they are."""
    return [
        (lambda: 0, ("FunctionType", "isfunction", False)),
        (Base().__reduce__, ("BuiltinFunctionType", False)),
        (contextlib.ExitStack().close, ("MethodType", "ismethod", False)),
        (len, ("BuiltinFunctionType", False)),
        ((n for n in ()), ("GeneratorType", False)),
        ([], ("list", False)),
        ({}, ("dict", False)),
    ]


@case
def objects_of_the_client_are_of_the_kind_that_they_are_there(c: Any) -> None:
    c.execute(KINDS)
    for thing, expected in [*kinds_of_objects(), (Base(), (False,))]:
        assert c.namespace["kinds"](thing) == expected


@case(Differs("a module is of a class of its own", server="rpyc5*"))
def a_module_of_the_client_is_a_module_there(c: Any) -> None:
    c.execute(KINDS)
    assert c.namespace["kinds"](types) == ("ModuleType", False)
    assert c.namespace["kinds"](importlib.util) == ("ModuleType", False)


HAS_GONE = f"""
def has_gone(f):
    try: f()
    except EOFError: return True
    except RuntimeError as error:
        if {RELEASED_TWICE!r} not in str(error): raise
"""


@case(Differs("it serves no thread but its own", server="*-bound", hangs=True))
def objects_of_a_client_that_has_gone_are_of_the_kind_that_they_were(c: Any) -> None:
    other, things = connect(), [thing for thing, _ in kinds_of_objects()]
    c.execute(KINDS)
    c.execute(HAS_GONE)
    other.execute("import sys\ndef keep(*things): sys.things = things")
    try:
        other.namespace["keep"](*things)
        other.close()
        wait_until(lambda: c.eval("has_gone(sys.things[0])"), "the end to be seen")
        for n, (_, expected) in enumerate(kinds_of_objects()):
            assert c.eval(f"kinds(sys.things[{n}])") == expected
    finally:
        c.execute("del sys.things")


# ---- With statements -----------------------------------------------------------------------------


#: A module for both sides with exceptions of all kinds, and the state that they leave behind.
MADE = """
class Particular(Exception):
    def __init__(self, one, *, other): super().__init__(one)
class Choosy(Exception):
    def __new__(cls, one, other): return super().__new__(cls, one)
class Unprintable(Exception):
    def __str__(self): raise RuntimeError
class Context:
    def __init__(self):
        self.left, self.by_an_exception = 0, False
    def __enter__(self):
        return self
    def __exit__(self, cls, error, tb):
        self.left += 1
        self.by_an_exception = isinstance(error, BaseException) and isinstance(error, cls)
"""

MAKE = f"""
import sys, types
made = sys.modules["made_for_with_statements"] = types.ModuleType("made_for_with_statements")
exec({MADE!r}, vars(made))
"""

EXCEPTIONS = [
    "ValueError('text')",
    "KeyError(1)",
    "UnicodeDecodeError('utf8', b'x', 0, 1, 'why')",
    "OSError(2, 'text', 'name')",
    "StopIteration(5)",
    "KeyboardInterrupt()",
    "SystemExit(3)",
    "GeneratorExit()",
    "BaseException()",
    "made.Particular(1, other=2)",
    "made.Choosy(1, 2)",
    "made.Unprintable()",
]
if sys.version_info >= (3, 11):
    EXCEPTIONS.append("ExceptionGroup('text', [ValueError()])")


def make(c: Any) -> types.ModuleType:
    """Makes the module on both sides: `made` in the server, and the result in the client."""
    here: dict[str, Any] = {}
    exec(MAKE, here)
    c.execute(MAKE)
    return here["made"]


@case
def a_with_statement_is_left_whatever_is_raised_in_it(c: Any) -> None:
    made = make(c)
    context = c.eval("made.Context()")
    for count, text in enumerate(EXCEPTIONS, 1):
        exception = eval(text, {"made": made})
        with raises(type(exception)) as caught, context:
            raise exception
        assert caught.value is exception, text
        assert context.left == count, text
        assert context.by_an_exception is True, text


@case
def a_with_statement_of_the_server_is_left_whatever_is_raised_in_it(c: Any) -> None:
    made = make(c)
    c.execute(
        "def use(context, text):\n"
        "    error = eval(text)\n"
        "    try:\n"
        "        with context: raise error\n"
        "    except BaseException as caught:\n"
        "        return caught is error\n"
    )
    context = made.Context()
    for count, text in enumerate(EXCEPTIONS, 1):
        assert c.namespace["use"](context, text) is True, text
        assert context.left == count, text
        assert context.by_an_exception is True, text


# ---- Exceptions of the client in the server ------------------------------------------------------

LOOK = """
def look(f):
    try:
        f()
    except BaseException as error:
        return type(error).__name__, error.args, str(error), repr(error)
"""


def fail_here() -> None:
    raise KeyError("mine", 5)


class Unprintable(Exception):
    """An exception that the server does not know."""

    def __str__(self) -> str:
        raise RuntimeError("no str")


@case
def an_exception_of_the_client_shows_in_the_server_where_it_comes_from(c: Any) -> None:
    c.execute(LOOK)
    name, args, text, shown = c.namespace["look"](fail_here)
    assert (name, args) == ("KeyError", ("mine", 5))
    assert text.startswith("('mine', 5)\n\n========= Remote Traceback (1) =========\nTraceback")
    assert "in fail_here" in text
    assert shown == text
    c.execute("unicode = UnicodeDecodeError('ascii', b'x', 0, 1, 'why')")
    text = c.namespace["look"](lambda: b"\xff".decode("ascii"))[2]
    assert text.startswith("'ascii' codec can't decode byte 0xff in position 0: ordinal not in")


@case
def an_exception_that_went_both_ways_shows_both(c: Any) -> None:
    bounce = c.eval("lambda f: f()")
    with raises(KeyError) as caught:
        bounce(fail_here)
    text = str(caught.value)
    assert text.index("Remote Traceback (2)") < text.index("Remote Traceback (1)")
    assert text.index("Remote Traceback (1)") < text.index("in fail_here")
    with raises(KeyError) as caught:
        bounce(lambda: bounce(fail_here))
    assert "Remote Traceback (4)" in str(caught.value)


@case
def an_exception_of_the_client_is_one_of_its_class(c: Any) -> None:
    c.execute(
        "def classes(*functions):\n"
        "    found = []\n"
        "    for f in functions:\n"
        "        try:\n"
        "            f()\n"
        "        except LookupError as error:\n"
        "            found.append(type(error))\n"
        "    return [cls is found[0] for cls in found], issubclass(found[0], KeyError)\n"
    )
    same, derived = c.namespace["classes"](fail_here, fail_here, lambda: [][0])
    assert list(same) == [True, True, False]
    assert derived is True


@case
def an_exception_that_the_server_does_not_know_shows_its_arguments(c: Any) -> None:
    c.execute(LOOK)

    def fail() -> None:
        raise Unprintable("text", 1)

    name, args, text, _ = c.namespace["look"](fail)
    assert name.endswith("Unprintable")
    assert args == ("text", 1)
    assert text.startswith("('text', 1)\n\n========= Remote Traceback (1)")


@case
def an_exception_that_cannot_be_printed_shows_at_least_where_it_comes_from(c: Any) -> None:
    c.execute(
        LOOK + "import sys, types\n"
        "class Bad(Exception):\n"
        "    def __str__(self): raise RuntimeError('no str')\n"
        "made = sys.modules['made_for_a_case'] = types.ModuleType('made_for_a_case')\n"
        "made.Bad = Bad\n"
    )
    bad = type("Bad", (Exception,), {"__module__": "made_for_a_case"})

    def fail() -> None:
        raise bad(5)

    try:
        name, args, text, _ = c.namespace["look"](fail)
        assert (name, args) == ("Bad", (5,))
        assert text.startswith("<Unprintable exception>\n\n========= Remote Traceback (1)")
    finally:
        c.execute("del sys.modules['made_for_a_case']")


@case(Differs("it keeps a class for every name that it ever saw", server="rpyc*"))
def classes_of_exceptions_are_not_kept_for_ever(c: Any) -> None:
    c.execute(
        "import gc\n"
        "def ignore(fail):\n"
        "    for _ in range(100):\n"
        "        try: fail()\n"
        "        except Exception: pass\n"
        "def count():\n"
        "    gc.collect()\n"
        "    return sum('NumberedException' in str(o.__name__) for o in gc.get_objects()\n"
        "               if type(o) is type)\n"
    )
    number = iter(range(10**6))

    def fail() -> None:
        raise type(f"NumberedException{next(number)}", (Exception,), {})

    for _ in range(11):  # one request for all would not end in time on a debug build
        c.namespace["ignore"](fail)
    assert 0 < c.namespace["count"]() <= 1000


# ---- What a class has ----------------------------------------------------------------------------

#: Classes of all kinds that both sides have.
SHARED = """
builtins.object builtins.type builtins.list builtins.dict builtins.int builtins.str builtins.bytes
builtins.KeyError builtins.memoryview builtins.classmethod collections.Counter collections.deque
ctypes.c_int collections.OrderedDict collections.abc.Set decimal.Decimal enum.Enum enum.IntFlag
fractions.Fraction functools.partial io.StringIO json.JSONDecoder logging.Logger
pathlib.PurePosixPath random.Random socket.socket string.Template threading.Thread
types.FunctionType typing.Generic unittest.mock.Mock
""".split()


def methods_of(c: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the methods of a class that the server lists, and those that this rpyc lists."""
    module, _, short = name.rpartition(".")
    cls = getattr(importlib.import_module(module), short)
    remote = getattr(c.modules[module], short)
    listed = c.sync_request(consts.HANDLE_INSPECT, remote.____id_pack__)
    return dict(listed), dict(get_methods(LOCAL_ATTRS, cls))


@case
def methods_have_the_docstrings_that_inspect_gives_them(c: Any) -> None:
    for name in SHARED:
        found, expected = methods_of(c, name)
        for method in found.keys() & expected.keys() - {"_new_member_"}:
            assert found[method] == expected[method], f"{name}.{method}"


@case
def a_docstring_loses_its_indentation_and_nothing_else(c: Any) -> None:
    c.execute(
        "class Thing:\n"
        "    def one(self): ' indented  '\n"
        "    def tabs(self): '\\tone\\n\\n\\t  two\\n\\tthree\\n\\n\\n'\n"
        "    def blank(self): '\\n\\n   \\n      x\\n     y\\n   \\n'\n"
        "    def spaces(self): '   '\n"
        "    def empty(self): ''\n"
        "    def wide(self): '\\u2603\\n    \\u2603\\U0001f600\\n   \\u2603'\n"
        "    def number(self): pass\n"
        "    number.__doc__ = 5\n"
        "    def text(self): pass\n"
        "    text.__doc__ = type('Text', (str,), {'__module__': 'x'})('of a subclass')\n"
        "    __len__ = None\n"
        "    def __format__(self, spec): pass\n"
        "    def __sizeof__(self): pass\n"
        "import inspect\n"
        "docs = tuple((n, inspect.getdoc(a)) for n, a in vars(Thing).items() if callable(a))\n"
    )
    thing = c.namespace["Thing"]
    listed = dict(c.sync_request(consts.HANDLE_INSPECT, thing.____id_pack__))
    expected = dict(c.namespace["docs"])
    assert expected.pop("text") == "of a subclass"
    assert listed["text"] == "of a subclass"
    assert {name: listed[name] for name in expected} == expected


@case
def the_methods_of_a_class_are_those_that_this_rpyc_lists(c: Any) -> None:
    for name in SHARED:
        found, expected = methods_of(c, name)
        assert found.keys() == expected.keys(), name


@case
def the_class_of_modules_is_the_one_that_this_rpyc_knows(c: Any) -> None:
    expected = get_id_pack(types.ModuleType)
    remote = c.modules.types.ModuleType
    assert remote.____id_pack__[0] == expected[0]
    assert (remote.____id_pack__[2] == 0) == (expected[2] == 0)
    assert c.builtins.isinstance(c.modules.sys, remote) is True
    assert remote.__name__ == "module"
