# SPDX-License-Identifier: BSD-3-Clause
"""inspection.py, called without a client."""

from __future__ import annotations

import contextlib
import gc
import linecache
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import build_setting, wait_until
from test_run_cell import Session, sent_module

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "client" / "prompt" / "inspection.py").read_text()
COLLECTOR = Path(build_setting("PYSTUCK_COLLECTOR"))


class Inspection(Session):
    """A session of cells in this process, with its inspector."""

    def __init__(self) -> None:
        super().__init__()
        self.inspector = sent_module(SOURCE, self.names, self._run, COLLECTOR.read_text())

    def cell(self, source: str) -> None:
        """Runs a cell that raises no exception."""
        ok, text = self.run(source)
        assert ok, text

    def ask(self, what: str, argument: str = "", source: str = "") -> tuple[bool, bool, str]:
        """Calls the inspector: (whether that was a cell, True without an exception, the text)."""
        self.sent.clear()
        return self.inspector(what, next(self._numbers), 80, argument, source)

    def text(self, what: str, argument: str = "", source: str = "") -> str:
        """The output and text of a call that succeeds."""
        _, ok, text = self.ask(what, argument, source)
        assert ok, text
        return "".join(self.sent) + (text or "")

    def error(self, what: str, argument: str = "", source: str = "") -> str:
        """The text of a call that fails."""
        _, ok, text = self.ask(what, argument, source)
        assert not ok
        return text

    def pick(self, thread: threading.Thread) -> str:
        return self.text("thread", str(thread.ident))


@pytest.fixture
def session() -> Inspection:
    return Inspection()


class Waiting:
    """A thread that waits in a function with the local variable `kept`, until go_on is called."""

    def __init__(self, kept: object = None) -> None:
        self.turns = [threading.Lock(), threading.Lock()]
        for turn in self.turns:
            turn.acquire()
        self.thread = threading.Thread(target=self.outer, args=(kept,), name="waiting")
        self.thread.start()
        self.wait_for("inner")

    def wait_for(self, name: str) -> None:
        """Waits until the thread waits in this function."""

        def waits() -> bool:
            frame = sys._current_frames()[self.thread.ident or 0]
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            return frame.f_code.co_name == name and ".acquire()" in line

        wait_until(waits, "the thread to wait")

    def outer(self, kept: object) -> None:
        def inner(number: int) -> None:
            self.turns[number].acquire()
            assert kept is not self

        inner(0)
        self.turns[1].acquire()

    def go_on(self) -> None:
        self.turns[0].release()
        self.wait_for("outer")

    def end(self) -> None:
        for turn in self.turns:
            if turn.locked():
                turn.release()
        self.thread.join()


@contextlib.contextmanager
def waiting(kept: object = None) -> Iterator[Waiting]:
    each = Waiting(kept)
    try:
        yield each
    finally:
        each.end()


# ---- x? ------------------------------------------------------------------------------------------


def test_a_function_is_described(session: Inspection) -> None:
    session.cell('def f(a, b=2, *c):\n    """Does it.\n\n    Well.\n    """')
    lines = session.text("object", "f").splitlines()
    assert lines[:6] == [
        "Signature:   f(a, b=2, *c)",
        "Docstring:",
        "Does it.",
        "",
        "Well.",
        "File:        <cell 1>",
    ]
    assert lines[6] == "Type:        function"
    assert lines[7].startswith("String form: <function f at 0x")
    assert "Source" not in session.text("object", "f")


def test_a_class_is_described(session: Inspection) -> None:
    session.cell(
        'class C:\n    """A class."""\n    def __init__(self, a):\n        """Makes it."""'
    )
    text = session.text("object", "C")
    assert text.startswith("Init signature: C(a)\nDocstring:      A class.\n")
    assert "Init docstring: Makes it.\nFile:           <cell 1>\nType:           type\n" in text


def test_a_value_is_described(session: Inspection) -> None:
    text = session.text("object", "[1] * 3")
    assert text.startswith("Type:        list\nString form: [1, 1, 1]\nLength:      3\nDocstring:")


def test_a_signature_that_is_too_long_has_a_line_for_each_parameter(session: Inspection) -> None:
    names = [f"parameter_{n}" for n in range(8)]
    session.cell(f"def f({', '.join(names[:2])}, /, x, *, {', '.join(names[2:])}) -> int: pass")
    rows = [*names[:2], "/", "x", "*", *names[2:]]
    text = "".join(f"    {row},\n" for row in rows)
    assert session.text("object", "f").startswith(f"Signature:\nf(\n{text}) -> int\n")


@pytest.mark.parametrize(
    ("text", "named"),
    [("(lambda x: 1)", "<lambda>(x)"), ("Out[1]", "f(x)"), ("a.f", "a.f(x)")],
)
def test_a_signature_has_a_name(session: Inspection, text: str, named: str) -> None:
    session.cell("class a:\n  @staticmethod\n  def f(x): pass\n\ndef f(x): pass\n")
    session.cell("f")
    session.names["Out"][1] = session.names["f"]
    assert f" {named}\n" in session.text("object", text)


SPITEFUL = """
class Spiteful:
    def fail(self, *args):
        raise BaseException('no')
    __str__ = __repr__ = __len__ = __call__ = fail
    __doc__ = __signature__ = property(fail)
x = Spiteful()
"""


def test_an_object_that_raises_loses_only_that_field(session: Inspection) -> None:
    session.cell(SPITEFUL)
    text = session.text("source", "x")
    titles = [line.partition(":")[0] for line in text.splitlines() if line[:1].isupper()]
    assert titles == ["Type", "String form", "File", "Source"]
    assert "object at 0x" in text
    assert "(its __str__ raised an exception)" in text
    assert "File:        <cell 1>\nSource:\nclass Spiteful:\n    def fail" in text


def test_large_values_are_cut(session: Inspection) -> None:
    session.cell("text, items = 'x' * 10**7, list(range(10**6))")
    assert len(session.text("object", "text")) < 3000
    assert "Length:      10000000\n" in session.text("object", "text")
    assert "(1000000 items)" in session.text("object", "items")


@pytest.mark.parametrize(
    "text",
    ["nothing", "modules.nothing", "modules['no_such']", "x y", "5 = 5", "''.x", "{}[1]", "\0"],
)
def test_undefined_names_are_not_found(session: Inspection, text: str) -> None:
    assert session.ask("object", text) == (False, False, f"Object `{text}` not found.")


def test_an_exception_of_the_programs_code_is_shown(session: Inspection) -> None:
    session.cell("def f(): return missing")
    text = session.error("object", "f()")
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert "inspection" not in text
    assert text.endswith("NameError: name 'missing' is not defined\n")
    assert session.error("object", "1 / 0").endswith("ZeroDivisionError: division by zero\n")


# ---- x?? -----------------------------------------------------------------------------------------

CELL = """
import contextlib, functools, sys
def wrap(function):
    @functools.wraps(function)
    def inner(*args): return function(*args)
    return inner

class Outer:
    @wrap
    def method(self):
        return 'method'
    @property
    def prop(self):
        return 'prop'
    @classmethod
    def make(cls):
        return 'make'
    class Inner: 'inner'

@wrap
def wrapped():
    return 'wrapped'
def generate():
    yield sys._getframe()
generator = generate()
frame = next(generator)
try: wrapped(1)
except TypeError as error: traceback = error.__traceback__
partial = functools.partial(wrapped, 5)
class Bare: 1
"""

METHOD = "@wrap\ndef method(self):\n    return 'method'"
WRAPPED = "@wrap\ndef wrapped():\n    return 'wrapped'"
GENERATE = "def generate():\n    yield sys._getframe()"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("wrapped", WRAPPED),
        ("partial", WRAPPED),
        ("wrapped.__wrapped__.__code__", WRAPPED),
        ("Outer.method", METHOD),
        ("Outer().method", METHOD),
        ("Outer.prop", "@property\ndef prop(self):\n    return 'prop'"),
        ("Outer.make", "@classmethod\ndef make(cls):\n    return 'make'"),
        ("generate", GENERATE),
        ("generator", GENERATE),
        ("frame", GENERATE),
        ("traceback", CELL.strip("\n")),
        ("Outer.Inner", "class Inner: 'inner'"),
        ("Bare", "class Bare: 1"),
        ("Bare()", "class Bare: 1"),
    ],
)
def test_the_source_of(session: Inspection, text: str, source: str) -> None:
    session.cell(CELL)
    found = session.text("source", text).partition("Source:")[2].strip()
    assert found.startswith(source)
    assert found[len(source) :].lstrip("\n").startswith(("File:", "")) or found == source
    assert session.text("source", text).count("Source:") == 1


def test_a_class_that_is_defined_twice_is_found_by_its_methods(session: Inspection) -> None:
    session.cell(
        "class C:\n  def f(self): return 1\nfirst = C\nclass C:\n  def f(self): return 2\n"
    )
    assert "return 1" in session.text("source", "first")
    assert "return 2" in session.text("source", "C")


def test_the_source_of_the_programs_own_modules(session: Inspection) -> None:
    source = session.text("source", "modules.colorsys")
    assert "def rgb_to_hsv(r, g, b):" in source
    assert "def join(a, *p):" in session.text("source", "modules['os.path'].join")
    assert "posixpath.py\n" in session.text("object", "modules['os.path'].join")
    assert "class JSONDecoder(object):" in session.text("source", "modules.json.JSONDecoder")


@pytest.mark.parametrize("text", ["len", "5", "int", "''.join", "modules.sys", "str.join"])
def test_built_in_objects_have_no_source(session: Inspection, text: str) -> None:
    assert re.search(r"^Source: +none \(built in\)$", session.text("source", text), re.M)


def test_missing_source_is_not_available(session: Inspection) -> None:
    session.cell("exec(compile('def f(): pass', 'gone.py', 'exec'))")
    text = session.text("source", "f")
    assert "Source:      not available\n" in text
    assert "File:        gone.py\n" in text


def test_linecache_is_restored(session: Inspection) -> None:
    session.cell("def f(): pass")
    assert "def f(): pass" in session.text("source", "f")
    assert not [name for name in linecache.cache if name.startswith("<cell")]


# ---- Threads and frames --------------------------------------------------------------------------


def test_threads_are_listed_with_numbers_except_this_one(session: Inspection) -> None:
    with waiting() as each:
        text = session.text("thread")
        line = next(line for line in text.splitlines() if "waiting" in line)
        number = line.split()[0]
        assert str(threading.get_ident()) not in text
        assert "in inner" in session.text("thread", number)
        assert session.text("thread", number) == session.pick(each.thread)
        marked = next(line for line in session.text("thread").splitlines() if "waiting" in line)
        assert marked.split()[:2] == ["*", number]


def test_the_innermost_frame_is_0_and_shown_last(session: Inspection) -> None:
    with waiting() as each:
        lines = session.pick(each.thread).splitlines()
    assert lines[0] == repr(each.thread).replace("stopped", "started")
    assert lines[-2].startswith("   0  File ")
    assert lines[-2].endswith(", in inner")
    assert lines[-1] == "        self.turns[number].acquire()"
    assert lines[-4].startswith("   1  File ")
    assert lines[-4].endswith(", in outer")


def test_a_frame_becomes_a_value(session: Inspection) -> None:
    with waiting("kept") as each:
        session.pick(each.thread)
        is_cell, ok, text = session.ask("frame", "1")
        printed = "".join(session.sent)
        frame = session.names["_"]
        number = max(session.names["Out"])
        assert (is_cell, ok, text) == (True, True, repr(frame))
        assert frame is session.names["Out"][number] is session.names[f"_{number}"]
        assert frame.f_code.co_name == "outer"
        assert session.names["In"][-1] == "%frame 1"
        line = frame.f_lineno
    assert printed.startswith(f'> 1  File "{__file__}", line {line}, in outer\n')
    arrows = [row for row in printed.splitlines() if row.startswith("--")]
    assert arrows == [f"{'-' * (5 - len(str(line)))}> {line}         inner(0)"]
    assert f"\n{line - 1:>7}\n" in printed
    assert "\nkept = 'kept'\n" in printed
    session.names["Out"].clear()


def test_up_selects_the_caller_and_down_the_called_frame(session: Inspection) -> None:
    with waiting() as each:
        session.pick(each.thread)
        assert ", in inner\n" in session.text("frame")
        assert ", in outer\n" in session.text("up")
        assert ", in run\n" in session.text("up")
        assert ", in outer\n" in session.text("down")
        assert session.names["In"][-4:] == ["%frame 0", "%up", "%up", "%down"]


def test_the_ends_of_the_stack(session: Inspection) -> None:
    with waiting() as each:
        count = session.pick(each.thread).count("  File ")
        assert session.ask("down")[::2] == (
            False,
            "cannot go down: this is the innermost frame",
        )
        session.text("frame", str(count - 1))
        assert session.ask("up")[::2] == (False, "cannot go up: this is the outermost frame")
        assert session.error("frame", str(count)) == (
            f"there is no frame {count}: the last frame is {count - 1}"
        )


@pytest.mark.parametrize("what", ["frame", "up", "down", "locals", "eval"])
def test_a_thread_must_be_selected_first(session: Inspection, what: str) -> None:
    assert session.ask(what, "1") == (
        False,
        False,
        "no thread is selected: %thread lists the threads, %thread N selects a thread",
    )


def test_invalid_numbers_are_refused(session: Inspection) -> None:
    with waiting() as each:
        session.pick(each.thread)
        for text in ("x", "-1", "1.5", "\N{SUPERSCRIPT TWO}"):
            assert session.error("thread", text) == (
                f"invalid thread '{text}': expected a number or ident that %thread lists"
            )
            assert session.error("frame", text).startswith(
                f"invalid frame '{text}': expected a number from 0 to "
            )
        assert session.error("eval") == "%eval needs an expression: %eval EXPR"


def test_threads_that_do_not_exist(session: Inspection, monkeypatch: pytest.MonkeyPatch) -> None:
    with waiting() as each:
        text = session.text("thread")
        line = next(line for line in text.splitlines() if "waiting" in line)
        number = line.split()[0]
    wait_until(lambda: each.thread.ident not in sys._current_frames(), "the end of the thread")
    assert session.error("thread", number) == (
        f"thread {number} has ended: type %thread for a new list"
    )
    assert session.error("thread", "12345") == ("there is no thread 12345: type %thread for a list")
    monkeypatch.setitem(threading._active, 12345, each.thread)  # type: ignore[attr-defined]
    assert session.error("thread", "12345") == "thread 12345 has no Python frame"


def test_a_thread_whose_repr_fails_is_shown(session: Inspection) -> None:
    class Bad(threading.Thread):
        def __repr__(self) -> str:
            raise BaseException("no")

    stop = threading.Event()
    thread = Bad(target=stop.wait)
    thread.start()
    try:
        assert f"<{Bad.__module__}.{Bad.__qualname__} object at " in session.text("thread")
        assert "object at" in session.pick(thread)
    finally:
        stop.set()
        thread.join()


def test_no_lock_of_threading_is_acquired(session: Inspection) -> None:
    lock = threading._active_limbo_lock  # type: ignore[attr-defined]
    with waiting() as each, lock:
        assert "waiting" in session.text("thread")
        assert "waiting" in session.pick(each.thread)


def test_expressions_see_the_scope_of_the_frame(session: Inspection) -> None:
    session.cell("mine = 1")
    with waiting("kept") as each:
        session.pick(each.thread)
        for expression, value in [
            ("kept", "'kept'"),  # a variable of the enclosing function
            ("number", "0"),
            ("[kept for _ in range(2) if number == 0]", "['kept', 'kept']"),
            ("(lambda: (kept, self.thread.name))()", "('kept', 'waiting')"),
            ("Waiting.__name__", "'Waiting'"),
            ("[number := 5, number]", "[5, 5]"),
        ]:
            assert session.ask("eval", expression) == (True, True, value)
        assert session.ask("eval", "None") == (True, True, None)
        assert session.text("locals").splitlines()[0] == "number = 0"
        assert session.names["_"] == [5, 5]
        assert session.names["In"][-1] == "%eval None"
        assert "name 'mine' is not defined" in session.error("eval", "mine")
        assert "\nSyntaxError: " in session.error("eval", "1 +")
        text = session.error("eval", "1 / 0")
    assert text.startswith('Traceback (most recent call last):\n  File "<cell ')
    assert text.count("  File ") == 1
    assert "    1 / 0\n" in text


def test_long_locals_are_cut(session: Inspection) -> None:
    with waiting(list(range(500))) as each:
        session.pick(each.thread)
        text = session.text("locals")
    rows = text.partition("kept = ")[2].splitlines()
    assert rows[:2] == ["[0,", "        1,"]
    assert rows[10] == "       ..."


def test_a_frame_with_many_locals_shows_some(session: Inspection) -> None:
    stop = threading.Event()
    names = {f"name_{n}": n for n in range(50)}
    names["stop"] = stop
    names["__hidden__"] = 1
    thread = threading.Thread(target=exec, args=("stop.wait()", names))
    thread.start()
    try:
        session.pick(thread)
        wait_until(lambda: "in wait" in session.pick(thread), "the wait")
        session.pick(thread)
        while ", in <module>\n" not in (text := session.text("up")):
            pass
        assert "\nname_19 = 19\n... (31 more: %locals shows them)\n" in text
        everything = session.text("locals")
    finally:
        stop.set()
        thread.join()
    assert "\nname_49 = 49\n" in everything
    assert "__hidden__" not in everything
    assert "(the source of this frame is not available)" in text


def test_a_thread_that_runs_on_is_reported(session: Inspection) -> None:
    with waiting() as each:
        session.pick(each.thread)
        assert "since" not in session.text("locals")
        again = f"type %thread {each.thread.ident} for the current stack)\n"
        each.go_on()
        assert session.text("locals").startswith("(this call has ended: " + again)
        assert session.text("eval", "number").startswith("(this call has ended: " + again)
        assert session.text("frame", "1").startswith("(this frame has continued to run: " + again)
    assert session.text("locals").startswith("(the thread has ended)\n")


class Kept:
    """An object whose end a weak reference can observe."""


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Turns the garbage collector off: objects must be freed by their reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def end_of(session: Inspection) -> None:
    del session.inspector


@pytest.mark.parametrize("let_go", [lambda s, other: s.pick(other), lambda s, _: end_of(s)])
def test_frames_are_released(
    session: Inspection, no_collection: None, let_go: Callable[[Inspection, Any], Any]
) -> None:
    kept = Kept()
    seen = weakref.ref(kept)
    with waiting() as other:
        with waiting(kept) as each:
            session.pick(each.thread)
            session.text("locals")
            session.error("eval", "1 / 0")
        del kept, each
        assert seen() is not None
        let_go(session, other.thread)
        wait_until(lambda: seen() is None, "the end of what the frame has kept")


# ---- Cells ---------------------------------------------------------------------------------------


def test_the_time_of_a_cell_is_shown_before_its_value(session: Inspection) -> None:
    is_cell, ok, text = session.ask("time", "[0] * 3")
    assert (is_cell, ok, text) == (True, True, "[0, 0, 0]")
    cpu, wall = "".join(session.sent).splitlines()
    assert [part.split()[0::2] for part in cpu.split(", ")][0][0] == "CPU"
    assert cpu.startswith("CPU times: user ")
    assert ", sys: " in cpu
    assert ", total: " in cpu
    assert wall.startswith("Wall time: ")
    assert wall.split()[-1] in ("\xb5s", "ms", "ns", "s")
    assert session.names["In"][-1] == "[0] * 3"
    assert session.names["_"] == [0, 0, 0]
    assert session.ask("time", "x = 7;") == (True, True, None)
    assert session.names["x"] == 7


def test_a_cell_that_fails_has_no_time(session: Inspection) -> None:
    assert session.error("time", "1 / 0").endswith("ZeroDivisionError: division by zero\n")
    assert session.error("time", "1 +").endswith("SyntaxError: invalid syntax\n")
    assert session.sent == []
    assert session.ask("time") == (False, False, "%time needs code: %time CODE")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ns"),
        (-1e-9, "0 ns"),
        (5e-9, "5 ns"),
        (1.234e-5, "12.3 \xb5s"),
        (0.0164, "16.4 ms"),
        (2.5, "2.5 s"),
        (61, "1min 1s"),
        (90061, "1d 1h 1min 1s"),
    ],
)
def test_durations(session: Inspection, seconds: float, text: str) -> None:
    names = type(session.inspector).do_time.__globals__
    assert names["duration"](seconds) == text


def test_a_file_runs_in_the_namespace(session: Inspection) -> None:
    session.cell("x = 5")
    source = "\ufefffrom __future__ import annotations\r\ny = x + 1\r\n'not shown'\r\n"
    assert session.ask("run", "['/a/file.py']", source) == (True, True, None)
    assert session.sent == []
    assert session.names["y"] == 6
    assert session.names["In"][-1] == "%run /a/file.py"
    if sys.version_info < (3, 14):  # what a file imports from __future__ is its own
        assert "NameError" in str(session.run("def f(a: no_such_name): pass")[1])


def test_the_traceback_of_a_file_shows_its_lines(session: Inspection) -> None:
    text = session.error("run", "['file.py']", "def f():\n    return 1 / 0\nf()\nx = 5")
    assert 'File "file.py", line 3, in <module>\n    f()\n' in text
    assert 'File "file.py", line 2, in f\n    return 1 / 0\n' in text
    assert text.count("  File ") == 2
    assert "x" not in session.names
    assert session.error("run", "['file.py']", "1 +").startswith('  File "file.py", line 1\n')


@pytest.mark.parametrize(
    ("statement", "ends_well"),
    [("sys.exit()", True), ("sys.exit(0)", True), ("sys.exit(1)", False), ("sys.exit('a')", False)],
)
def test_a_file_may_exit(session: Inspection, statement: str, ends_well: bool) -> None:
    is_cell, ok, text = session.ask("run", "['file.py']", f"import sys\n{statement}\n")
    assert (is_cell, ok) == (True, ends_well)
    assert ends_well or "SystemExit" in text


def test_the_names_that_were_made(session: Inspection) -> None:
    assert session.text("who") == "Interactive namespace is empty."
    session.cell("b = 1; a = 2; _c = 3; import os")
    session.cell("5")
    assert session.text("who") == "a  b  os"
    session.cell("modules = 5; In = []")
    assert session.text("who") == "In  a  b  modules  os"
