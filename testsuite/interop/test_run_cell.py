# SPDX-License-Identifier: BSD-3-Clause
"""run_cell.py, called without a client."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import ctypes
import gc
import io
import itertools
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import PATIENCE, wait_until

CLIENT = Path(__file__).parents[2] / "client"
SOURCE = (CLIENT / "eval" / "run_cell.py").read_text()


def function_with(source: str) -> str:
    """Returns the function `sent` with this source in it, as the client sends it."""
    text = (CLIENT / "eval" / "sent_module.h").read_text()
    begin, end = (
        "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', part)).replace("\\n", "\n")
        for part in text.partition("#define SENT_MODULE_BEGIN")[2].split("#define SENT_MODULE_END")
    )
    return begin.replace("def ", "def sent", 1) + repr(source) + end


def sent_module(source: str, namespace: dict[str, Any], *arguments: object) -> Any:
    """Calls that function. namespace: that of the connection."""
    exec(function_with(source), namespace)
    return namespace.pop("sent")(*arguments)


class Session:
    """Cells in this process. `sent`: the text that was sent to the client's stdout."""

    def __init__(self, send: Callable[[str], None] | None = None) -> None:
        self.sent: list[str] = []
        self.names: dict[str, Any] = {}
        to_client = send or self.sent.append, self.sent.append, lambda: "typed\n", print
        self._run, self.thread, *_ = sent_module(SOURCE, self.names, *to_client)
        self._numbers = itertools.count(1)

    def run(self, source: str, *, every: bool = False) -> tuple[bool, str | None]:
        """Runs a cell."""
        return self._run(next(self._numbers), source, 80, "each" if every else "last")

    def is_incomplete(self, source: str) -> bool:
        """Returns True if more lines must be typed. Otherwise runs the cell."""
        return self._run(next(self._numbers), source, 80, "typed") == (None, None)


@contextlib.contextmanager
def own_streams() -> Iterator[dict[str, io.StringIO]]:
    """Streams of the program, which must be restored afterwards."""
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


@pytest.mark.parametrize("error", [EOFError, KeyboardInterrupt, TimeoutError])
def test_the_streams_are_restored_when_sending_to_the_client_fails(error: type) -> None:
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


def test_a_stream_of_a_cell_that_has_ended_is_the_programs() -> None:
    session = Session()
    with own_streams():
        session.run("import sys; kept = sys.stdout")
        assert session.run("kept.write('them'), kept.getvalue()") == (True, "(4, 'themrs\\n')")
    assert session.sent == []


def test_closing_a_stream_of_a_cell_closes_none_of_the_program() -> None:
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
def test_prompts_and_indentation_of_pasted_code_are_removed(source: str) -> None:
    assert Session().run(source) == (True, "2")


def test_a_script_is_not_changed() -> None:
    ok, text = Session().run("  1", every=True)
    assert not ok
    assert "IndentationError" in str(text)


def test_only_common_indentation_is_removed() -> None:
    assert Session().run("if 1:\n    x = '''a\n  b'''\nx") == (True, "'a\\n  b'")


# ---- await ---------------------------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An asyncio loop that runs on a thread of its own."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    wait_until(running.is_running, "the loop to run")
    try:
        yield running
        assert not asyncio.all_tasks(running)
    finally:
        running.call_soon_threadsafe(running.stop)
        thread.join()
        running.close()


def interrupt_when(condition: Callable[[], Any]) -> threading.Thread:
    """Raises KeyboardInterrupt on this thread when the condition is true."""
    ident = threading.get_ident()

    def interrupt() -> None:
        wait_until(condition, "what is to be interrupted")
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt)
        )

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


AWAITING = {
    "await": ("await asyncio.sleep(0, 5)", "5"),
    "await in a statement": ("x = await asyncio.sleep(0, 5)\nx", "5"),
    "async for": ("async for x in gen(): print(x)", None),
    "async with": ("async with Manager() as x: pass\nx", "'entered'"),
    "async comprehension": ("{x async for x in gen()}", "{0, 1}"),
    "await in a comprehension": ("[await asyncio.sleep(0, x) for x in (1, 2)]", "[1, 2]"),
    "nothing to await": ("1", "1"),
}

DEFINED = """
import asyncio
async def gen():
    for i in range(2):
        yield i
        await asyncio.sleep(0)
class Manager:
    async def __aenter__(self): return 'entered'
    async def __aexit__(self, *error): pass
"""


@pytest.mark.parametrize(("code", "expected"), AWAITING.values(), ids=AWAITING)
def test_await_runs_on_the_loop(
    loop: asyncio.AbstractEventLoop, code: str, expected: str | None
) -> None:
    session = Session()
    session.run(DEFINED)
    assert session.run(code) == (True, expected)
    assert "".join(session.sent) == ("0\n1\n" if "print" in code else "")


def test_await_without_a_loop_is_an_error_and_leaves_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ok, text = Session().run("import asyncio; await asyncio.sleep(0)")
        gc.collect()
    assert (ok, text) == (False, "RuntimeError: no asyncio loop runs in this program\n")


def test_a_loop_that_does_not_run_is_ignored() -> None:
    stopped = asyncio.new_event_loop()
    ok, text = Session().run("import asyncio; await asyncio.sleep(0)")
    stopped.close()
    assert (ok, text) == (False, "RuntimeError: no asyncio loop runs in this program\n")


def test_the_loop_of_the_main_thread_is_preferred(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> tuple[bool, str | None]:
        builtins.hook = asyncio.get_running_loop()  # type: ignore[attr-defined]
        code = "import asyncio, builtins\nawait asyncio.sleep(0)\n" + (
            "async def f(): return asyncio.get_running_loop() is builtins.hook\nawait f()"
        )
        return await asyncio.get_running_loop().run_in_executor(None, Session().run, code)

    try:
        assert asyncio.run(main()) == (True, "True")
    finally:
        del builtins.hook  # type: ignore[attr-defined]


def test_a_task_prints_to_the_client_and_reads_from_it(
    loop: asyncio.AbstractEventLoop,
) -> None:
    session = Session()
    with own_streams() as streams:
        code = "import asyncio\nprint('x', await asyncio.sleep(0), input('? '))\nprint('end')"
        assert session.run(code) == (True, None)
    assert "".join(session.sent) == "? x None typed\nend\n"
    assert streams["stdout"].getvalue() == "theirs\n"  # what it was before


def test_other_tasks_of_the_loop_find_their_own_streams(loop: asyncio.AbstractEventLoop) -> None:
    session = Session()
    session.names["loop"] = loop
    code = (
        "import asyncio\n"
        "async def theirs(): print('others')\n"
        "task = asyncio.run_coroutine_threadsafe(theirs(), loop)\n"
        "await asyncio.wrap_future(task)\n"
        "print('mine')"
    )
    with own_streams() as streams:
        assert session.run(code)[0]
    assert (session.sent, streams["stdout"].getvalue()) == (["mine\n"], "others\n")


def test_a_task_that_outlives_its_cell_prints_to_the_program(
    loop: asyncio.AbstractEventLoop,
) -> None:
    session = Session()
    code = (
        "import asyncio\n"
        "async def later(): await event.wait(); print('later')\n"
        "async def start():\n    global event\n    event = asyncio.Event()\n"
        "    return asyncio.create_task(later())\n"
        "task = await start()"
    )
    with own_streams() as streams:
        assert session.run(code) == (True, None)
        assert session.run("event.set(); await task\nprint('now')") == (True, None)
    assert (session.sent, streams["stdout"].getvalue()) == (["now\n"], "later\n\n")


def test_the_loop_does_not_wait_for_the_client_to_read(loop: asyncio.AbstractEventLoop) -> None:
    reading, went_on = threading.Event(), threading.Event()
    sent = []

    def send(text: str) -> None:
        reading.set()
        assert went_on.wait(PATIENCE)
        sent.append(text)

    session = Session(send)
    session.names.update(reading=reading, went_on=went_on)
    code = (
        "import asyncio\n"
        "async def talk():\n"
        "    print('first')\n"
        "    while not reading.is_set(): await asyncio.sleep(0)\n"
        "    print('second')\n"
        "    went_on.set()\n"
        f"await asyncio.wait_for(talk(), {PATIENCE})"
    )
    assert session.run(code) == (True, None)
    assert "".join(sent) == "first\nsecond\n"


def test_a_task_with_much_unread_output_waits(loop: asyncio.AbstractEventLoop) -> None:
    session = Session()
    code = "import asyncio\nfor i in range(60): print('x' * 99999, await asyncio.sleep(0, ''))"
    assert session.run(code) == (True, None)
    assert len("".join(session.sent)) == 60 * 100001


def test_exceptions_of_a_task_are_shown_without_frames_of_the_client(
    loop: asyncio.AbstractEventLoop,
) -> None:
    session = Session()
    ok, text = session.run("async def f():\n    raise SystemExit(3)\nawait f()")
    assert not ok
    assert text is not None
    assert text.splitlines()[:2] + text.splitlines()[-1:] == [
        "Traceback (most recent call last):",
        '  File "<cell 1>", line 3, in <module>',
        "SystemExit: 3",
    ]
    assert text.count("  File ") == 2
    assert session.run("import asyncio; await asyncio.sleep(0, 'still')") == (True, "'still'")


def test_an_interruption_cancels_the_task(loop: asyncio.AbstractEventLoop) -> None:
    thread = interrupt_when(lambda: asyncio.all_tasks(loop))
    ok, text = Session().run("import asyncio\nawait asyncio.sleep(3600)")
    thread.join()
    assert not ok
    assert text is not None
    assert '\n  File "<cell 1>", line 2, in <module>\n' in text
    assert text.endswith("\nKeyboardInterrupt\n")
    assert "bootstrap" not in text
    assert "threading" not in text
    assert not asyncio.all_tasks(loop)


def test_a_task_may_catch_its_cancellation(loop: asyncio.AbstractEventLoop) -> None:
    session = Session()
    thread = interrupt_when(lambda: asyncio.all_tasks(loop))
    code = (
        "import asyncio\n"
        "try:\n    await asyncio.sleep(3600)\n"
        "except asyncio.CancelledError:\n    print('caught')"
    )
    assert session.run(code) == (True, None)
    thread.join()
    assert session.sent == ["caught\n"]


def test_an_interruption_works_while_the_loop_is_blocked(
    loop: asyncio.AbstractEventLoop,
) -> None:
    going_on = threading.Event()
    loop.call_soon_threadsafe(going_on.wait)
    session = Session()
    try:
        thread = interrupt_when(lambda: "Awaited._start" in repr(list(loop._ready)))  # type: ignore[attr-defined]
        ok, text = session.run("async def f(): print('never')\nawait f()")
        thread.join()
    finally:
        going_on.set()
    assert not ok
    assert text == "KeyboardInterrupt: the asyncio task did not end after it was cancelled\n"
    assert session.run("import asyncio\nawait asyncio.sleep(0, 1)") == (True, "1")
    assert session.sent == []  # the task does not start later


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_cell_does_not_wait_for_a_closed_loop(
    caplog: pytest.LogCaptureFixture, has_begun: bool
) -> None:
    ending = asyncio.new_event_loop()

    def run() -> None:
        ending.run_forever()
        ending.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(ending.is_running, "the loop to run")
    session = Session()
    session.names["loop"] = ending
    code = "await asyncio.sleep(0); loop.stop()\n" if has_begun else "loop.stop()\n"
    with warnings.catch_warnings(record=True) as caught:
        ok, text = session.run(f"import asyncio\n{code}await asyncio.Event().wait()")
        thread.join()
        gc.collect()
    assert (ok, text) == (False, "RuntimeError: the asyncio loop was closed\n")
    assert (caught, caplog.records) == ([], [])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("await f(", True),
        ("async def f():", True),
        ("async def f():\n    await g", True),
        ("async with a as b:", True),
        ("async with a:\n    await b", True),
        ("async for x in y:\n    await z", True),
        ("[x async for x in y", True),
        ("async with a:\n    await b\n", False),
        ("async def f():\n    await g\n", False),
        ("await f", False),
        ("def f(): await x\n", False),
    ],
)
def test_await_can_be_typed_line_by_line(source: str, expected: bool) -> None:
    assert Session().is_incomplete(source) is expected
