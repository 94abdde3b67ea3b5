# SPDX-License-Identifier: BSD-3-Clause
"""Completion with Tab: completion.py, called without a client; and Tab at a prompt."""

from __future__ import annotations

import ast
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pexpect
import pytest
from forwarder import Forwarder
from harness import SERVERS, Debuggee, Stock, command, stock_environment, wait_until
from prompts import Prompt
from test_run_cell import sent_module

CLIENT = Path(__file__).parents[2] / "client"
SOURCE = (CLIENT / "prompt" / "completion.py").read_text()

Start = Callable[..., Debuggee]
Complete = Callable[..., "tuple[int, str, str, int, tuple[str, ...]]"]

#: For the fixture `lasting`: these tests keep frames of the program, so leaks cannot be checked.
LOOKS_AT_FRAMES = True


# ---- completion.py -------------------------------------------------------------------------------


def completer(source: str = "", **names: Any) -> tuple[Complete, dict[str, Any]]:
    """The function of completion.py, and the namespace of the cells, in which `source` was run."""
    namespace: dict[str, Any] = dict(names)
    cells = (CLIENT / "eval" / "run_cell.py").read_text()
    run, *_ = sent_module(cells, namespace, print, print, str, print)
    complete = sent_module(SOURCE, namespace, run)
    assert run(0, source, 80, "last") == (True, None)
    return complete, namespace


NAMES = """
import enum, functools, os, sys
class Thing:
    slot = 1
    __slots__ = ("held", "__dict__")
    def method(self, alpha, beta=1, *rest, gamma, _delta=2): pass
    @classmethod
    def made(cls, size): pass
    @staticmethod
    def static(width): pass
class Made:
    def __new__(cls, origin): pass
class Colour(enum.Enum):
    RED = 1
class Keyed(dict): pass
def plain(first, second=2): pass
@functools.wraps(plain)
def wrapped(*args, **kwargs): pass
part = functools.partial(plain, 1)
thing = Thing(); thing.held = [0, {"deep": Thing()}]; thing.own = os; thing._private = 1
texts = {"one": thing, "once": {"more": os}, "it's": 1, 'a"b': 1, "tab\\there": 1, "two words": 1}
others = {12: thing, 1250: 1, -5: 1, b"by": 1, 1.5: 1, None: 1, thing: 1}
pairs = {("a", 1): 1, ("a", "b"): 1, ("x", 2, "y"): os}
keyed = Keyed(left=1, right=2)
frame = sys._getframe()
def variables(module): return sys._getframe()
import signal; inner = variables(signal)
"""

#: The typed text, the common prefix of the candidates, the ending of a single one, and some of the
#: candidates; None: all of them are listed.
COMPLETED: dict[str, tuple[str, str, tuple[str, ...], bool]] = {
    "thi": ("thing", "", ("thing",), True),
    "print(thi": ("thing", "", ("thing",), True),
    "whi": ("while", "", ("while",), True),
    "isinst": ("isinstance", "", ("isinstance",), True),
    "thing.": ("", "", ("held", "made", "method", "own", "slot", "static"), True),
    "thing.me": ("method", "", ("method",), True),
    "thing._p": ("_private", "", ("_private",), True),
    "thing.held[1]['deep'].sl": ("slot", "", ("slot",), True),
    "thing.held[-1]['deep'].sl": ("slot", "", ("slot",), True),
    "thing.held[1]['de": ("deep", "']", ("deep",), True),
    "thing.held.app": ("append", "", ("append",), True),
    "thing.own.pat": ("path", "", ("path", "pathsep"), False),
    "thing.own.path.joi": ("join", "", ("join",), True),
    "(thing).ow": ("own", "", ("own",), True),
    "x = [thing.ow": ("own", "", ("own",), True),
    "not thing.ow": ("own", "", ("own",), True),
    "Thing.sl": ("slot", "", ("slot",), True),
    "Colour.R": ("RED", "", ("RED",), True),
    "'text'.upp": ("upper", "", ("upper",), True),
    "[].app": ("append", "", ("append",), True),
    "{}.ke": ("keys", "", ("keys",), True),
    "frame.f_loc": ("f_locals", "", ("f_locals",), True),
    "frame.f_globals['keye": ("keyed", "']", ("keyed",), True),
    "inner.f_locals['mod": ("module", "']", ("module",), True),
    "inner.f_locals['module'].getit": ("getitimer", "", ("getitimer",), True),
    "texts['on": ("on", "']", ("once", "one"), True),
    "texts['onc": ("once", "']", ("once",), True),
    'texts["onc': ("once", '"]', ("once",), True),
    "texts['once']['mo": ("more", "']", ("more",), True),
    "texts['once']['more'].getpi": ("getpid", "", ("getpid",), True),
    "texts['it": ("it\\'s", "']", ("it\\'s",), True),
    'texts["it': ("it's", '"]', ("it's",), True),
    'texts["a': ('a\\"b', '"]', ('a\\"b',), True),
    "texts['tab": ("tab\\there", "']", ("tab\\there",), True),
    "texts[r'tab": ("", "'", (), True),
    "texts['two w": ("two words", "']", ("two words",), True),
    "texts[": ("", "]", ("'once'", "'one'", '"it\'s"'), False),
    "others[12": ("12", "]", ("12", "1250"), True),
    "others[125": ("1250", "]", ("1250",), True),
    "others[-": ("-5", "]", ("-5",), True),
    "others[b'": ("by", "']", ("by",), True),
    "others[No": ("None", "]", ("None",), True),
    "others[": ("", "]", ("-5", "12", "1250", "1.5", "None", "b'by'"), True),
    "others[12].ow": ("own", "", ("own",), True),
    "pairs['": ("", "', ", ("a", "x"), True),
    "pairs['a', ": ("", "]", ("'b'", "1"), True),
    "pairs['x', 2, '": ("y", "']", ("y",), True),
    "pairs['x', 2, 'y'].getpi": ("getpid", "", ("getpid",), True),
    "keyed['le": ("left", "']", ("left",), True),
    "modules['xml.do": ("xml.dom", "']", ("xml.dom",), True),
    "modules['os'].getpi": ("getpid", "", ("getpid",), True),
    "modules['os.path'].joi": ("join", "", ("join",), True),
    "modules.os.path.joi": ("join", "", ("join",), True),
    "modules.antigrav": ("antigravity", "", ("antigravity",), True),
    "modules['antigrav": ("antigravity", "']", ("antigravity",), True),
    "f'{thing.ow": ("own", "", ("own",), True),
    "f'{{ {texts[\"onc": ("once", '"]', ("once",), True),
    "import antigrav": ("antigravity", "", ("antigravity",), True),
    "import os, antigrav": ("antigravity", "", ("antigravity",), True),
    "import xml.do": ("dom", "", ("dom",), True),
    "import xml.dom.pul": ("pulldom", "", ("pulldom",), True),
    "import os a": ("as", "", ("as",), True),
    "if 1: import antigrav": ("antigravity", "", ("antigravity",), True),
    "x = 1; import antigrav": ("antigravity", "", ("antigravity",), True),
    "from antigrav": ("antigravity", "", ("antigravity",), True),
    "from xml.": ("", "", ("dom", "etree", "parsers", "sax"), False),
    "from xml.dom i": ("import", "", ("import",), True),
    "from xml.dom import pul": ("pulldom", "", ("pulldom",), True),
    "from xml.dom import (minidom,\n  pul": ("pulldom", "", ("pulldom",), True),
    "from os import getpi": ("getpid", "", ("getpid",), True),
    "from os import getpid, getcwd": ("getcwd", "", ("getcwd", "getcwdb"), True),
    "thing.method(": ("", "", ("alpha=", "beta=", "gamma="), False),
    "thing.method(1, gam": ("gamma=", "", ("gamma=",), True),
    "thing.method(_del": ("_delta=", "", ("_delta=",), True),
    "thing.made(siz": ("size=", "", ("size=",), True),
    "thing.static(wid": ("width=", "", ("width=",), True),
    "Thing.method(alph": ("alpha=", "", ("alpha=",), True),
    "Thing.made(siz": ("size=", "", ("size=",), True),
    "Made(orig": ("origin=", "", ("origin=",), True),
    "wrapped(sec": ("second=", "", ("second=",), True),
    "part(sec": ("second=", "", ("second=",), True),
    "print(plain(sec": ("second=", "", ("second=",), True),
    "plain((1, 2), [3,\n4], sec": ("second=", "", ("second=",), True),
    "plain(second=sec": ("", "", (), True),
    "open('x', enco": ("encoding=", "", ("encoding=",), True),
    "sorted([], ke": ("key", "", ("key=", "keyed"), True),
    "def f(argument):\n    return arg": ("argument", "", ("argument",), True),
    "for item in []:\n  ite": ("ite", "", ("item", "iter"), True),
}

NOT_COMPLETED = [
    "nothing_of_that_name",
    "nothing.x",
    "thing.no_such",
    "thing.own.getcwd().",
    "print(thing)",
    "x = 'text'",
    "x = 12",
    "12.",
    "# thi",
    "'thi",
    "'''text\nthi",
    "thing.held[7].",
    "thing.held[1:2].",
    "texts['not there'].",
    "others[thing].",
    "texts['\\w'].",
    "from .",
    "from ..",
    "from .x",
    "import .x",
    "import xml.no_such.",
    "modules.colorsys.",  # colorsys is not imported
    "modules['colorsys'].",
    "from colorsys import ",
    ")]}.x",
    "thing.held[1)['x",
]


@pytest.mark.parametrize("text", COMPLETED)
def test_text_is_completed(text: str) -> None:
    complete, _ = completer(NAMES)
    common, ending, expected, is_all = COMPLETED[text]
    typed, found_common, found_ending, total, shown = complete(text, "")
    assert (found_common, found_ending) == (common, ending)
    assert set(expected) <= set(shown)
    assert total == len(shown)
    assert all(name.startswith(text[len(text) - typed :]) for name in shown)
    assert not is_all or len(shown) == len(expected)
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("text", NOT_COMPLETED)
def test_unknown_objects_have_no_candidates(text: str) -> None:
    complete, _ = completer(NAMES)
    assert complete(text, "")[3:] == (0, ())


@pytest.mark.parametrize(
    ("text", "rest", "ending"),
    [
        ("texts['onc", "']", ""),
        ("texts['onc", "'", "]"),
        ("texts['onc", " + 1", "']"),
        ("texts[", "]", ""),
        ("pairs['x', 2, '", "'] + 1", ""),
        ("pairs['", "', 2]", ""),
    ],
)
def test_text_behind_the_cursor_is_not_inserted_again(text: str, rest: str, ending: str) -> None:
    complete, _ = completer(NAMES)
    assert complete(text, rest)[2] == ending


def test_a_keyword_argument_is_not_offered_twice() -> None:
    complete, _ = completer(NAMES)
    names = complete("thing.method(alpha=1, ", "")[4]
    assert "beta=" in names
    assert not {"alpha", "alpha="} & set(names)


def test_private_names_are_offered_only_after_an_underscore() -> None:
    complete, namespace = completer("class C: __very = _a = b = 1")
    assert complete("C.", "")[4] == ("b",)
    names = complete("C._", "")[4]
    assert names.index("_C__very") < names.index("_a") < names.index("__dict__")
    assert not [name for name in complete("x = ", "")[4] if name.startswith("_")]
    assert "__builtins__" in namespace


def test_of_many_names_the_first_and_the_common_prefix_are_sent() -> None:
    names = {f"name_{i:04}": i for i in range(5000)}
    big = ModuleType("big")
    vars(big).update(names, name_9=1)
    complete, _ = completer(big=big)
    typed, common, ending, total, shown = complete("big.n", "")
    assert (typed, common, ending, total) == (1, "name_", "", 5001)
    assert shown == tuple(sorted(names))[:500]


def springs(sprung: list[str]) -> Callable[[str], Callable[..., Any]]:
    """Returns a function that makes methods. Such a method appends its name to `sprung`."""

    def spring(name: str) -> Callable[..., Any]:
        def sprung_by(*args: object, **kwargs: object) -> Any:
            sprung.append(name)
            raise RuntimeError(name)

        return sprung_by

    return spring


def trap_class(sprung: list[str]) -> type:
    """Returns a class whose attributes, and those of its instances, run Python code."""
    spring = springs(sprung)

    class Descriptor:
        __get__ = spring("__get__")
        __set__ = spring("__set__")

    class Meta(type):
        __getattribute__ = spring("Meta.__getattribute__")
        __instancecheck__ = spring("__instancecheck__")
        __subclasscheck__ = spring("__subclasscheck__")
        __dir__ = spring("Meta.__dir__")
        __eq__ = spring("Meta.__eq__")
        __hash__ = spring("Meta.__hash__")
        __prepared__ = 1

    class Trap(metaclass=Meta):
        fine = 5
        watched = property(spring("property"))
        described = Descriptor()
        __class__ = property(spring("__class__"))  # type: ignore[assignment]
        __dict__ = property(spring("__dict__"))  # type: ignore[assignment]
        __getattr__ = spring("__getattr__")
        __getattribute__ = spring("__getattribute__")
        __dir__ = spring("__dir__")
        __eq__ = spring("__eq__")
        __hash__ = spring("__hash__")
        __len__ = spring("__len__")
        __bool__ = spring("__bool__")
        __iter__ = spring("__iter__")
        __getitem__ = spring("__getitem__")
        __repr__ = spring("__repr__")
        __call__ = spring("__call__")

        def method(self, argument: int) -> None:
            sprung.append("method")

    return Trap


def trapped_dict(sprung: list[str], value: object) -> dict[Any, Any]:
    """Returns a dict whose methods and one of whose keys run Python code.

    Another key, "plain", has this value.
    """
    spring = springs(sprung)

    class Keyed(dict):  # type: ignore[type-arg]
        keys = spring("keys")
        items = spring("items")
        __iter__ = spring("dict.__iter__")
        __getitem__ = spring("dict.__getitem__")
        __contains__ = spring("__contains__")
        __missing__ = spring("__missing__")
        __len__ = spring("dict.__len__")
        get = spring("get")

    class Text(str):
        __slots__ = ()
        armed = False
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            if Text.armed:
                sprung.append("Text.__eq__")
            return str.__eq__(self, other)

        startswith = spring("startswith")

    keyed = Keyed()
    dict.__setitem__(keyed, Text("same"), 1)
    dict.__setitem__(keyed, "plain", value)
    Text.armed = True
    return keyed


def traps(sprung: list[str]) -> dict[str, Any]:
    """Returns objects that run Python code when they are read in the wrong way.

    Each such access appends its name to `sprung`.
    """
    spring, trap_type = springs(sprung), trap_class(sprung)
    module = ModuleType("trapped")
    vars(module).update(__getattr__=spring("module"), __dir__=spring("module dir"), inside=1)
    trap = type.__call__(trap_type)
    return {
        "trap": trap,
        "Trap": trap_type,
        "keyed": trapped_dict(sprung, [trap_type]),
        "trapped": module,
        "held": [trap],
    }


TRAPPED = [
    ("trap.", "fine"),
    ("trap.wat", "watched"),
    ("trap.watched.", None),
    ("trap.described.", None),
    ("trap.missing.", None),
    ("trap.fine.", "real"),
    ("trap.__class__.", None),
    ("trap.__dict__['", None),
    ("trap['", None),
    ("trap[0].", None),
    ("trap().", None),
    ("trap(", "print"),
    ("trap.method(arg", "argument="),
    ("Trap.", "fine"),
    ("Trap.watched.fge", "fget"),
    ("Trap.described.", None),
    ("Trap(", "print"),
    ("held[0].fi", "fine"),
    ("held[trap].", None),
    ("keyed['", "plain"),
    ("keyed['plain'][0].fi", "fine"),
    ("keyed['same'].", None),
    ("keyed['missing'].", None),
    ("keyed.", "fromkeys"),
    ("trapped.", "inside"),
    ("trapped.missing.", None),
    ("from trapped import ins", "inside"),
    ("f(trap, ", "trap"),
    ("trap, tr", "trap"),
    ("{trap: 1}[tr", "trap"),
]


@pytest.mark.parametrize(("text", "offered"), TRAPPED, ids=[text for text, _ in TRAPPED])
def test_no_code_of_the_user_is_run(
    monkeypatch: pytest.MonkeyPatch, text: str, offered: str | None
) -> None:
    sprung: list[str] = []
    names = traps(sprung)
    monkeypatch.setitem(sys.modules, "trapped", names["trapped"])
    complete, _ = completer(**names)
    shown = complete(text, "")[4]
    assert sprung == []
    assert offered in shown if offered else shown == ()


def test_a_getter_in_c_of_another_module_is_not_called() -> None:
    """A getter of a type in C may run Python: that of a text stream calls its buffer."""
    complete, _ = completer("import io; stream = io.TextIOWrapper(io.BytesIO())")
    assert "name" in complete("stream.", "")[4]
    assert complete("stream.closed.", "")[3] == 0


def test_nothing_is_changed() -> None:
    complete, namespace = completer(NAMES)

    def state() -> Any:
        streams = sys.stdin, sys.stdout, sys.stderr
        return dict(namespace), list(sys.modules), streams, sorted(sys.path_importer_cache)

    before = state()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for text in [*COMPLETED, *NOT_COMPLETED, *(text for text, _ in TRAPPED)]:
            complete(text, "")
    assert state() == before
    assert warned == []


def test_odd_objects_in_the_program_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("okay_one.py", "not-one.py", "okay.txt", "__init__.py"):
        (tmp_path / name).touch()
    (tmp_path / "okay_dir").mkdir()
    (tmp_path / "okay_package").mkdir()
    (tmp_path / "okay_package" / "__init__.py").touch()
    (tmp_path / "okay_package" / "inside.py").touch()
    path = [None, 5, b"x", "/nothing/there", "\0", str(tmp_path)]
    monkeypatch.setattr(sys, "path", path)
    monkeypatch.setitem(sys.modules, 5, None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "okay_none", None)
    complete, _ = completer("d = {10**5000: 1, 'x' * 10**6: 1, float('nan'): 1, 'fine': 1}")
    assert complete("import okay", "")[4] == ("okay_none", "okay_one", "okay_package")
    assert complete("import okay_package.", "")[4] == ("inside",)
    assert complete("modules.okay_none.", "")[3] == 0
    assert complete("d[", "")[4] == ("'fine'",)


def test_an_exception_means_that_there_are_no_candidates() -> None:
    complete, _ = completer("class S: __slots__ = ('unset',)\ns = S()")
    assert complete("s.unset.", "") == (0, "", "", 0, ())
    assert complete("(" * 100000 + "s)." + "x", "")[3] == 0
    assert complete(None, "")[3] == 0


# ---- On a terminal -------------------------------------------------------------------------------


@pytest.fixture
def prompt(lasting: Callable[..., Debuggee], tmp_path: Path) -> Iterator[Prompt]:
    """A prompt on the stuck program, with pystuck's server."""
    debuggee = lasting()
    opened = Prompt([debuggee.host, debuggee.port], tmp_path)
    yield opened
    opened.child.close(force=True)


def start_original() -> Debuggee:
    """The stuck program with the original pystuck in it."""
    environment = stock_environment("PYSTUCK_RPYC6", "PYSTUCK_ORIGINAL")
    return Debuggee(command("stock_server.py", "original"), environment)


@pytest.fixture(params=[*SERVERS, "original"], ids=lambda stock: str(stock or "ours"))
def anywhere(
    request: pytest.FixtureRequest, lasting: Callable[..., Debuggee], tmp_path: Path
) -> Iterator[Prompt]:
    """A prompt on a program with a server of each kind."""
    stock: Stock | str | None = request.param
    debuggee = start_original() if stock == "original" else lasting(stock)
    opened = Prompt([debuggee.host, debuggee.port], tmp_path)
    yield opened
    opened.child.close(force=True)
    if stock == "original":
        debuggee.kill()


def line_after(prompt: Prompt, keys: str) -> str:
    """The line after these keys were typed. It is entered as a comment."""
    prompt.type(keys + "\x01#\r")
    prompt.next()
    text = prompt.cell(f"In[{prompt.number - 1}]")
    return ast.literal_eval(text.partition(":")[2].strip())[1:]


def offered(prompt: Prompt, keys: str) -> list[str]:
    """The lines that Tab shows below the typed line, which is dropped then."""
    prompt.type(keys + "\t")
    prompt.expect("\n")
    prompt.number -= 1
    text = prompt.next()
    prompt.type("\x03")
    prompt.number -= 1
    prompt.next()
    return text.splitlines()


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("modules.o\ts.getpi\t", "modules.os.getpid"),
        ("import antigrav\t", "import antigravity"),
        ("from xml.dom import pul\t", "from xml.dom import pulldom"),
        ("modules['antigrav\t.__na\t", "modules['antigravity'].__na"),
        ("modules['os'].getpi\t()", "modules['os'].getpid()"),
        ("_[1\t", "_[125]"),
        ("open('x', enco\t", "open('x', encoding="),
        ("modules.os.pat\ts\t", "modules.os.pathsep"),
        ("text\t['\N{GREEK SMALL LETTER PI}\t", "texts['\N{GREEK SMALL LETTER PI}\xe9']"),
        ("nothing_of_that\t", "nothing_of_that"),
        ("'\N{SNOWMAN}', isinst\t", "'\N{SNOWMAN}', isinstance"),
    ],
)
def test_tab_completes(anywhere: Prompt, keys: str, line: str) -> None:
    anywhere.cell("texts = {'\N{GREEK SMALL LETTER PI}\xe9': 1}")
    anywhere.cell("{125: 1}")
    assert line_after(anywhere, keys) == line
    left = "[name for name in globals() if 'pystuck' in name]"
    assert anywhere.cell(left).endswith(": []\n\n")


def test_text_behind_the_cursor_is_kept(prompt: Prompt) -> None:
    assert line_after(prompt, "modules.os. + 1" + "\x02" * 4 + "getpi\t") == (
        "modules.os.getpid + 1"
    )
    assert line_after(prompt, "modules['antigrav'] + 1" + "\x02" * 6 + "\t") == (
        "modules['antigravity'] + 1"
    )


def test_earlier_lines_of_the_cell_are_used(prompt: Prompt) -> None:
    prompt.type("for some_thing in [modules,\r")
    prompt.expect(r"\.\.\.: ")
    prompt.type("  modules.antigrav\t")
    prompt.expect("ity")
    prompt.type("\x15]:\r")
    prompt.expect(r"\.\.\.: ")
    prompt.type("\tprint('now', some_th\t)\r")
    prompt.expect(r"\.\.\.: ")
    prompt.type("\r")
    assert "\nnow <the modules of this process" in prompt.next()


def test_tab_indents_where_nothing_is_typed(prompt: Prompt) -> None:
    assert line_after(prompt, "\t1") == "    1"
    assert line_after(prompt, "  \t1") == "    1"


def test_completion_works_when_builtins_are_hidden(prompt: Prompt) -> None:
    prompt.cell("globals = list = len = dict = type = str = 1")
    assert line_after(prompt, "modules.os.getpi\t") == "modules.os.getpid"


def test_several_candidates_are_shown_at_once(prompt: Prompt) -> None:
    prompt.cell("class C: alpha = beta = gamma = _hidden = 1", "")
    assert offered(prompt, "C.") == ["alpha  beta   gamma"]
    assert line_after(prompt, "C._h\t") == "C._hidden"


def test_the_common_prefix_is_inserted(prompt: Prompt) -> None:
    prompt.cell("d = {'once': 1, 'one': 2}")
    assert line_after(prompt, "d['o\t") == "d['on"
    prompt.cell("d = {'\xe9\xe8': 1, '\xe9\xe9': 2}")  # both keys begin with the same byte in UTF-8
    assert line_after(prompt, "d['\t") == "d['\xe9"
    prompt.cell("class Big: pass", "")
    prompt.cell("for i in range(5000): setattr(Big, 'name_%04d' % i, i)", "")
    assert line_after(prompt, "Big.n\t") == "Big.name_"


def test_the_line_is_shown_again_below_the_candidates(prompt: Prompt) -> None:
    prompt.type("modules.os.path.joi(modules.os.pat" + "\x02" * 20 + "\x06" * 20 + "\t")
    prompt.expect("pathsep")
    prompt.expect(re.escape("modules.os.path.joi(modules.os.path"))


def test_the_colours_of_the_prompt_take_no_columns(prompt: Prompt) -> None:
    prompt.type("x" * 20 + " = open, o + " + "y" * 36)  # fits on one row of 80 columns
    prompt.expect("y{36}")
    prompt.type("\x01" + "\x06" * 30 + "\t")
    shown = prompt.expect("oct")
    assert "\nobject" in shown
    assert "\n\n" not in shown


@pytest.mark.parametrize("columns", [20, 80, 300])
def test_candidates_fit_the_terminal(
    lasting: Callable[..., Debuggee], tmp_path: Path, columns: int
) -> None:
    debuggee = lasting()
    prompt = Prompt([debuggee.host, debuggee.port], tmp_path, columns)
    prompt.type("import types; big = types.ModuleType('big')\r")
    prompt.next()
    prompt.type("vars(big).update({'name_%04d' % i: i for i in range(5000)});\r")
    prompt.next()
    *rows, more = offered(prompt, "big.")
    assert (len(rows), {len(row) <= columns for row in rows}) == (
        37 if columns < 300 else 19,
        {True},
    )
    assert max(len(row) for row in rows) >= columns - 11
    shown = " ".join(rows).split()
    assert more == f"... and {5000 - len(shown)} more"
    assert sorted(shown) == [f"name_{i:04}" for i in range(len(shown))]
    assert rows[1].split()[0] == "name_0001"  # from top to bottom
    assert prompt.leave() == 0


def test_wide_characters_are_counted(prompt: Prompt) -> None:
    wide = "\N{HIRAGANA LETTER A}" * 4
    prompt.cell(f"d = {{'{wide}x': 1, 'abc': 2, 'd': 3, 'e{wide}': 4}}")
    (row,) = offered(prompt, "d['")
    assert row == f"abc        d          e{wide}  {wide}x"


def test_a_candidate_that_is_wider_than_the_terminal_is_cut_off(
    lasting: Callable[..., Debuggee], tmp_path: Path
) -> None:
    debuggee = lasting()
    prompt = Prompt([debuggee.host, debuggee.port], tmp_path, 20)
    prompt.type("d = {'" + "x" * 30 + "': 1, 'y': 2}\r")
    prompt.next()
    assert offered(prompt, "d['") == ["x" * 16 + "...", "y"]
    assert prompt.leave() == 0


# ---- Magics --------------------------------------------------------------------------------------


def test_magics_are_completed(prompt: Prompt) -> None:
    assert line_after(prompt, "%rec\t").startswith("%reconnect")
    assert line_after(prompt, "%sho\t") == "%show threads"
    assert line_after(prompt, "%show t\t") == "%show threads"
    names = offered(prompt, "%")
    assert {"help", "history", "reconnect", "threads"} <= set(" ".join(names).split())


@pytest.mark.parametrize("magic", ["%run ", "%save ", "%save -f ", "%run other.py "])
def test_files_are_completed_after_some_magics(
    lasting: Callable[..., Debuggee], tmp_path: Path, magic: str
) -> None:
    for name in ("script.py", ".hidden", "other\x1b[31m\x07.py", "odd\udcff"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "h\xfcllo w\xf6rld.py").touch()
    debuggee = lasting()
    prompt = Prompt([debuggee.host, debuggee.port], tmp_path)
    assert line_after(prompt, f"{magic}{tmp_path}/scr\t") == f"{magic}{tmp_path}/script.py"
    name = "h\xfcllo w\xf6rld.py"
    escaped = name.replace(" ", "\\ ")
    assert line_after(prompt, f"{magic}~/fol\th\t") == f"{magic}~/folder/{escaped}"
    assert line_after(prompt, f"{magic}~/folder/h\xfcllo\\ w\t") == f"{magic}~/folder/{escaped}"
    assert line_after(prompt, f"{magic}'~/fol\th\t") == f"{magic}'~/folder/{name}"
    assert offered(prompt, f"{magic}~/") == ["folder/    script.py  state/"]
    assert line_after(prompt, f"{magic}~/.hid\t") == f"{magic}~/.hidden"
    assert line_after(prompt, f"{magic}~/othe\t") == f"{magic}~/othe"
    assert prompt.leave() == 0


def test_python_is_completed_after_other_magics(prompt: Prompt) -> None:
    assert line_after(prompt, "%help modules.os.getpi\t") == "%help modules.os.getpid"


# ---- The connection ------------------------------------------------------------------------------


def test_a_tab_is_one_round_trip_after_the_first(
    lasting: Callable[..., Debuggee], tmp_path: Path
) -> None:
    with Forwarder(lasting()) as proxy:
        prompt = Prompt([proxy.host, proxy.port], tmp_path)
        try:
            assert line_after(prompt, "modules.os.getpi\t") == "modules.os.getpid"
            before = proxy.frames.copy()
            assert line_after(prompt, "modules.os.getpp\t") == "modules.os.getppid"
            between = proxy.frames.copy()
            assert line_after(prompt, "modules.os.getppid") == "modules.os.getppid"
        finally:
            prompt.child.close(force=True)
        with_tab, without = between - before, proxy.frames - between
        assert with_tab - without == {"to": 1, "from": 1}


def is_asked(debuggee: Debuggee) -> bool:
    """Returns True if a stopped process has unread input on its connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues, *_ = line.split()
        if state == "01" and int(local.partition(":")[2], 16) == debuggee.port:
            return int(queues.partition(":")[2], 16) > 0
    return False


@pytest.fixture
def stopped(stuck: Debuggee, tmp_path: Path) -> Iterator[tuple[Debuggee, Prompt]]:
    """A program that does not answer, and its prompt, at which Tab was pressed."""
    prompt = Prompt([stuck.host, stuck.port], tmp_path)
    assert line_after(prompt, "modules.os.getpi\t") == "modules.os.getpid"
    os.kill(stuck.pid, signal.SIGSTOP)
    prompt.type("modules.os.getpp\t")
    wait_until(lambda: is_asked(stuck), "the request to be sent")
    yield stuck, prompt
    if not stuck.ended:
        os.kill(stuck.pid, signal.SIGCONT)
    prompt.child.close(force=True)


def test_tab_gives_up_on_a_program_that_does_not_answer(
    stopped: tuple[Debuggee, Prompt],
) -> None:
    debuggee, prompt = stopped
    prompt.type("id, 1")
    prompt.expect("id, 1")  # while nothing answers
    os.kill(debuggee.pid, signal.SIGCONT)
    # An answer that arrives after Tab has given up is dropped.
    assert line_after(prompt, "\x15modules.os.getui\t") == "modules.os.getuid"


def test_tab_gives_up_before_it_has_asked_for_the_first_time(
    stuck: Debuggee, tmp_path: Path
) -> None:
    prompt = Prompt([stuck.host, stuck.port], tmp_path)
    os.kill(stuck.pid, signal.SIGSTOP)
    prompt.type("modules.os.getpp\tid, 1")
    prompt.expect("id, 1")
    os.kill(stuck.pid, signal.SIGCONT)
    assert line_after(prompt, "\x15modules.os.getui\t") == "modules.os.getuid"
    assert prompt.leave() == 0


def test_tab_does_not_change_the_time_limit_of_other_requests(
    stuck: Debuggee, tmp_path: Path
) -> None:
    prompt = Prompt([stuck.host, stuck.port], tmp_path)
    assert line_after(prompt, "modules.os.getpi\t") == "modules.os.getpid"
    os.kill(stuck.pid, signal.SIGSTOP)
    prompt.type("%threads\r")
    with pytest.raises(pexpect.TIMEOUT):  # longer than Tab waits
        prompt.child.expect("cannot get the stacks", timeout=0.8)
    os.kill(stuck.pid, signal.SIGCONT)
    prompt.expect("with lock:  # could block")
    prompt.child.close(force=True)


def test_ctrl_c_ends_the_completion_and_keeps_the_line(
    stopped: tuple[Debuggee, Prompt],
) -> None:
    debuggee, prompt = stopped
    prompt.type("\x03")
    prompt.type("id")
    assert "^C" not in prompt.expect("id")
    os.kill(debuggee.pid, signal.SIGCONT)
    assert line_after(prompt, "") == "modules.os.getppid"


def test_the_end_of_the_program_during_tab_is_reported_once(
    stopped: tuple[Debuggee, Prompt],
) -> None:
    debuggee, prompt = stopped
    os.kill(debuggee.pid, signal.SIGKILL)
    debuggee.ended = True
    prompt.expect("lost the connection \\(type %reconnect to connect again\\): ")
    assert "lost the connection" not in prompt.expect("gone> ")
    prompt.type("\x15%rec\t 1 modules.o\t\r")
    prompt.expect("%reconnect takes no argument")


# ---- With --no-exec ------------------------------------------------------------------------------


@pytest.fixture
def without_code(stuck: Debuggee, tmp_path: Path) -> Iterator[Prompt]:
    """A prompt that runs no code in the program."""
    prompt = Prompt(["--no-exec", stuck.host, stuck.port], tmp_path)
    yield prompt
    prompt.child.close(force=True)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("modul\t", "<the modules of this process"),
        ("modules['threadin\t", "<module 'threading' from "),
        ("modules.threadin\t", "<module 'threading' from "),
        ("modules['os'].path.basenam\t", "<function basename at "),
        ("x.upd\t", "<built-in method update of dict object at "),
        ("(modules.os.sep, x.upd\t, 1)[1]", "<built-in method update of dict object at "),
        ("x['y'].ap\t", "<built-in method append of list object at "),
        ("mi\t(2, 1)", "1"),
        ("roo\t.getmodul\t('os').sep", "'/'"),
    ],
)
def test_completion_without_code(without_code: Prompt, keys: str, value: str) -> None:
    without_code.cell("x = {'y': []}")
    assert f"Out[1]: {value}" in without_code.cell(keys)


def test_nothing_is_run_for_completion_without_code(
    without_code: Prompt, stuck: Debuggee, connect: Callable[[Debuggee], Any]
) -> None:
    other = connect(stuck)
    other.execute(
        "import __main__\n__main__.asked = []\n"
        "class C:\n    @property\n    def p(self): __main__.asked.append(1); return self\n"
        "    plain = {}\n"
        "__main__.c = C()"
    )
    without_code.cell("import __main__")
    assert "method setdefault" in without_code.cell("__main__.c.plain.setdef\t")
    for keys in ("__main__.c.p.pla\t", "modules.no_such.a\t", "modules.colorsys.rg\t"):
        without_code.type(keys + "\x03")
        without_code.number -= 1
        without_code.next()
    assert other.eval("len(__main__.asked), 'colorsys' in __import__('sys').modules") == (0, False)
