# SPDX-License-Identifier: BSD-3-Clause
"""What the client sends to have its cells run, called without a client."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import io
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

SOURCE = (Path(__file__).parents[2] / "client" / "bootstrap.py").read_text()


class Session:
    """A session of cells in this process; `sent` is what came for stdout."""

    def __init__(self, send: Callable[[str], None] | None = None) -> None:
        self.sent: list[str] = []
        self.names: dict[str, Any] = {}
        exec(SOURCE, self.names)
        start = self.names.pop("_pystuck_cells")
        made = start(send or self.sent.append, self.sent.append, str, print)
        self._run, self.thread, *_ = made
        self._numbers = itertools.count(1)

    def run(self, source: str, *, every: bool = False) -> tuple[bool, str | None]:
        """Runs a cell."""
        return self._run(next(self._numbers), source, 80, "each" if every else "last")


@contextlib.contextmanager
def own_streams() -> Iterator[dict[str, io.StringIO]]:
    """Streams of the program, which have to be there again afterwards."""
    before = sys.stdin, sys.stdout, sys.stderr
    own = {name: io.StringIO("theirs\n") for name in ("stdin", "stdout", "stderr")}
    sys.stdin, sys.stdout, sys.stderr = own.values()
    try:
        yield own
        found = {name: getattr(sys, name) for name in own}
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    assert all(found[name] is own[name] and not own[name].closed for name in own)


def on_another_thread(function: Callable[[], Any]) -> Any:
    """The result of `function` on a thread of its own."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_it_is_python_3_6() -> None:
    ast.parse(SOURCE, feature_version=(3, 6))


def codes_within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from codes_within(const)


def test_no_name_is_looked_up_where_the_users_are() -> None:
    function = next(c for c in compile(SOURCE, "x", "exec").co_consts if isinstance(c, CodeType))
    looked_up = {
        instruction.argval
        for code in codes_within(function)
        for instruction in dis.get_instructions(code)
        if instruction.opname == "LOAD_GLOBAL"
    }
    assert looked_up == {"globals"}  # once, at the beginning


def test_it_takes_nothing_but_one_name() -> None:
    namespace: dict[str, Any] = {}
    exec(SOURCE, namespace)
    assert set(namespace) - {"__builtins__", "__doc__"} == {"_pystuck_cells"}


@pytest.mark.parametrize("error", [EOFError, KeyboardInterrupt, TimeoutError])
def test_the_streams_are_put_back_when_the_client_cannot_be_told(error: type) -> None:
    def send(text: str) -> None:
        raise error

    with own_streams():
        if error is KeyboardInterrupt:  # Ctrl-C that comes at the end
            ok, text = Session(send).run("print('x', end='')")
            assert not ok
            assert text is not None
            assert text.endswith("\nKeyboardInterrupt\n")
        else:
            with pytest.raises(error):
                Session(send).run("print('x', end='')")


@pytest.mark.parametrize("order", itertools.permutations(range(3)), ids=str)
def test_sessions_may_end_in_any_order(order: tuple[int, ...]) -> None:
    turns = [threading.Event() for _ in range(3)]
    begun = threading.Event()
    results: dict[int, Any] = {}

    def play(i: int) -> None:
        session = Session()
        source = "import builtins; builtins.hook(); print('after')"
        results[i] = (session.run(source.replace("hook", f"hook{i}")), session.sent)

    def hook(i: int) -> None:
        begun.set()
        turns[i].wait()

    threads = [threading.Thread(target=play, args=(i,)) for i in range(3)]
    with own_streams():
        try:
            for i, thread in enumerate(threads):
                setattr(builtins, f"hook{i}", lambda i=i: hook(i))
                begun.clear()
                thread.start()
                begun.wait()
            for i in order:
                turns[i].set()
                threads[i].join()
        finally:
            for i in range(3):
                turns[i].set()
                delattr(builtins, f"hook{i}")
    assert results == {i: ((True, None), ["after\n"]) for i in range(3)}


def test_other_threads_find_their_own_streams() -> None:
    def look() -> Any:
        sys.stdout.write("w\n")
        sys.stdout.writelines(["v\n", "u\n"])
        sys.stdout.flush()
        return sys.stdout.isatty(), sys.stdin.readline(), sys.stdin.read(), list(sys.stdin)

    session = Session()
    session.names["elsewhere"] = lambda: on_another_thread(look)
    with own_streams() as streams:
        streams["stdout"].isatty = lambda: True  # type: ignore[method-assign]
        assert session.run("elsewhere()") == (True, "(True, 'theirs\\n', '', [])")
    assert streams["stdout"].getvalue().startswith("w\nv\nu\n")
    assert session.sent == []


def test_what_still_holds_a_stream_of_a_cell_has_the_programs() -> None:
    session = Session()
    with own_streams():
        session.run("import sys; kept = sys.stdout")
        assert session.run("kept.write('them'), kept.getvalue()") == (True, "(4, 'themrs\\n')")
    assert session.sent == []


def test_closing_the_streams_closes_nothing_of_the_program() -> None:
    session = Session()
    with own_streams():
        ok, text = session.run("import sys; sys.stdin.close(); sys.stdout.close(); print('still')")
    assert (ok, text, session.sent) == (True, None, ["still\n"])


def test_small_writes_are_sent_together() -> None:
    session = Session()
    session.run("for i in range(10000): print('x', end='')")
    assert "".join(session.sent) == "x" * 10000
    assert len(session.sent) == 2


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("1\n2;\n3", "1\n3\n"),
        ("1; 2", "1\n2\n"),
        ("1; 2;", ""),
        ("'''a\nb''';\n4", "4\n"),
        ("(1,\n 2);\n(3,\n 4)", "(3, 4)\n"),
        ("if 1:\n  5;\n6", "6\n"),
        ("1; # x\r\n2 # ;\r\n", "2\n"),
        ("1;\\\n2", "1\n2\n"),
    ],
)
def test_a_semicolon_suppresses_the_values_of_its_line_in_a_script(
    script: str, printed: str
) -> None:
    session = Session()
    assert session.run(script, every=True) == (True, None)
    assert "".join(session.sent) == printed


@pytest.mark.parametrize(
    "source",
    [
        "  x = 1\n  x + 1",
        "\n\tif 1:\n\t    y = 2\n\ty",
        ">>> x = 1\n>>> x + 1",
        ">>> for x in (2,):\n...     pass\n...\n>>> x",
        "In [12]: def f():\n    ...:     return 2\n    ...:\n    ...: f()",
        "    >>> x = 1\n    >>> x + 1",
        "\ufeff  2",
    ],
)
def test_what_is_pasted_may_have_prompts_and_be_indented(source: str) -> None:
    assert Session().run(source) == (True, "2")


def test_a_script_is_taken_as_it_is() -> None:
    ok, text = Session().run("  1", every=True)
    assert not ok
    assert "IndentationError" in str(text)


def test_only_what_is_common_to_all_lines_is_indentation() -> None:
    assert Session().run("if 1:\n    x = '''a\n  b'''\nx") == (True, "'a\\n  b'")
