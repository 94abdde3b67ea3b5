# SPDX-License-Identifier: BSD-3-Clause
"""The prompt of pystuck(1), on a terminal."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from harness import PATIENCE, Debuggee, c_program, clean_environment, wait_until
from prompts import Prompt, reads_input

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


@pytest.fixture
def prompt(stuck: Debuggee, tmp_path: Path) -> Iterator[Prompt]:
    """A prompt on the stuck program."""
    opened = Prompt([stuck.host, stuck.port], tmp_path)
    yield opened
    opened.child.close(force=True)


def test_without_libedit_the_stacks_are_printed_and_the_prompt_says_what_is_missing(
    stuck: Debuggee, tmp_path: Path
) -> None:
    argv = c_program("PYSTUCK_BIN", stuck.host, stuck.port)
    name = re.search(rb"this system has no (libedit\.so[.0-9]*)", Path(argv[0]).read_bytes())
    if not name:
        pytest.skip("libedit is linked statically")
    (tmp_path / name[1].decode()).write_text("no library\n" * 100)
    env = clean_environment(TERM="xterm", LD_LIBRARY_PATH=str(tmp_path))
    child = pexpect.spawn(argv[0], argv[1:], env=env, timeout=PATIENCE, encoding="utf-8")
    try:
        child.expect(re.escape("pystuck: cannot open a prompt: this system has no libedit.so"))
        assert "MainThread" in child.before
        child.expect(pexpect.EOF)
        assert child.wait() == 1
    finally:
        child.close(force=True)


# ---- Cells ---------------------------------------------------------------------------------------


def test_values_are_shown_with_their_numbers(prompt: Prompt) -> None:
    assert prompt.cell("6 * 7") == "Out[0]: 42\n\n"
    assert prompt.cell("x = 5") == "\n"
    assert prompt.cell("_, _0, Out[0], x") == "Out[2]: (42, 42, 42, 5)\n\n"
    assert prompt.cell("In[0]") == "Out[3]: '6 * 7'\n\n"


def test_a_value_with_several_lines_begins_on_a_new_line(prompt: Prompt) -> None:
    assert prompt.cell("list(range(30))").startswith("Out[0]:\n[0,\n 1,\n")


def test_modules_contains_the_modules_of_the_program(prompt: Prompt, stuck: Debuggee) -> None:
    assert prompt.cell("modules['os'].getpid()") == f"Out[0]: {stuck.pid}\n\n"
    assert "locked _thread.RLock" in prompt.cell("modules.__main__.lock")


def test_a_block_ends_with_an_empty_line(prompt: Prompt) -> None:
    prompt.type("def f(n):\r")
    prompt.expect(r"\.\.\.: ")
    prompt.type("    return n * 2\r")
    prompt.expect(r"\.\.\.: ")
    prompt.type("\r")
    prompt.next()
    assert prompt.cell("f(21)") == "Out[1]: 42\n\n"


@pytest.mark.parametrize("lines", [("(1 +", "2)"), ("'''a", "", "b'''"), ("@property", "")])
def test_an_open_bracket_string_or_decorator_needs_more_lines(
    prompt: Prompt, lines: tuple[str, ...]
) -> None:
    prompt.type(lines[0] + "\r")
    prompt.expect(r"\.\.\.: ")
    if lines[0] != "@property":
        for line in lines[1:]:
            prompt.type(line + "\r")
        assert "Out[0]: " in prompt.next()


def test_a_traceback_contains_no_frames_of_the_client(prompt: Prompt) -> None:
    text = prompt.cell("1 / 0")
    assert text.startswith('Traceback (most recent call last):\n  File "<cell 0>", line 1')
    assert text.endswith("ZeroDivisionError: division by zero\n\n")
    assert prompt.cell("x = = 1").endswith("SyntaxError: invalid syntax\n\n")


def test_output_of_a_cell_is_shown_while_it_runs(prompt: Prompt) -> None:
    prompt.type("import time; print('first'); time.sleep(3600)\r")
    prompt.expect("first\r\n")
    prompt.type("\x03")


def test_input_reads_from_the_terminal(prompt: Prompt) -> None:
    prompt.type("input('name? ')\r")
    prompt.expect(r"name\? ")
    prompt.type("Ada\r")
    assert "Out[0]: 'Ada'" in prompt.next()


def test_input_goes_on_when_the_window_is_resized(prompt: Prompt) -> None:
    prompt.type("input('name? ')\r")
    prompt.expect(r"name\? ")
    wait_until(lambda: reads_input(prompt), "the client's reading")
    prompt.child.setwinsize(20, 60)
    prompt.type("Ada\r")
    assert "Out[0]: 'Ada'" in prompt.next()


def test_ctrl_d_ends_input_and_not_the_prompt(prompt: Prompt) -> None:
    prompt.type("input('name? ')\r")
    prompt.expect(r"name\? ")
    prompt.type("\x04")
    assert "EOFError" in prompt.next()
    assert prompt.cell("1") == "Out[1]: 1\n\n"


def test_characters_beyond_ascii_can_be_typed(prompt: Prompt) -> None:
    assert prompt.cell("'h\N{LATIN SMALL LETTER E WITH ACUTE}' '\N{SNOWMAN}'") == (
        "Out[0]: 'h\N{LATIN SMALL LETTER E WITH ACUTE}\N{SNOWMAN}'\n\n"
    )


def test_pasted_text_is_one_cell(prompt: Prompt) -> None:
    block = "for i in range(2):\n\tprint('line', i)\n\n\nprint('end')\n"
    prompt.type(f"\x1b[200~{block}\x1b[201~")
    prompt.expect("end")
    prompt.type("\r")
    assert "\nline 0\nline 1\nend\n" in prompt.next()


def test_tab_and_paste_work_with_the_keys_of_vi(stuck: Debuggee, tmp_path: Path) -> None:
    (tmp_path / ".editrc").write_text("bind -v\n")
    prompt = Prompt([stuck.host, stuck.port], tmp_path)
    prompt.type("modules['sys'].maxsi\t")
    prompt.expect("maxsi.*ze")
    prompt.type("\r")
    assert "Out[0]: " in prompt.next()
    prompt.type("\x1b[200~if True:\n  x = 5\x1b[201~0\r")
    prompt.next()
    assert prompt.cell("x") == "Out[2]: 50\n\n"
    prompt.leave()


# ---- Ctrl-C, Ctrl-D ------------------------------------------------------------------------------


def test_ctrl_c_at_the_prompt_drops_the_line(prompt: Prompt) -> None:
    prompt.type("raise Some")
    prompt.expect("raise Some")
    prompt.type("\x03")
    prompt.number -= 1
    prompt.next()
    assert prompt.cell("1") == "Out[0]: 1\n\n"


def test_ctrl_c_interrupts_a_cell(prompt: Prompt, stuck: Debuggee) -> None:
    prompt.type("print('begun')\rwhile True: pass\r\r")
    prompt.expect("begun\r\n")
    prompt.next()
    prompt.expect(r"pass\r?\n")
    prompt.expect(r"\.\.\.: ")
    prompt.type("\x03")
    assert "KeyboardInterrupt\n" in prompt.next()
    assert prompt.cell("2") == "Out[2]: 2\n\n"


def test_ctrl_c_interrupts_input_once(prompt: Prompt) -> None:
    cleanup = "    import time; time.sleep(0.3); print('cleaned up')"
    for line in "try:", "    input('name? ')", "except KeyboardInterrupt:", cleanup, "":
        prompt.type(line + "\r")
    prompt.expect(r"cleaned up'\)(?s:.)*name\? ")
    wait_until(lambda: reads_input(prompt), "the client's reading")
    prompt.type("\x03")
    assert "cleaned up\n\n" in prompt.next()


def test_ctrl_c_gives_up_a_cell_that_keeps_the_gil(prompt: Prompt, stuck: Debuggee) -> None:
    prompt.type("import ctypes; print('begun'); ctypes.PyDLL(None).sleep(3600)\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    prompt.expect("cannot interrupt the cell: GIL held for at least ")
    prompt.expect("connected again, but cannot run code now: GIL held for at least ")
    prompt.expect("held> ")
    stuck.ended = True  # the program does not end by itself


def test_a_cell_that_cannot_be_interrupted_is_given_up(prompt: Prompt) -> None:
    prompt.type("import time; print('begun'); time.sleep(3600)\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    prompt.expect(r"could not interrupt In \[0\]: it keeps running in the program")
    prompt.expect("connected again, with a new namespace")
    prompt.number = -1
    prompt.next()
    assert prompt.cell("3") == "Out[0]: 3\n\n"


@pytest.mark.parametrize("words", ["exit", "quit", "exit()", " quit() ", "\x04"])
def test_the_prompt_ends_with(prompt: Prompt, words: str) -> None:
    prompt.type(words if words == "\x04" else words + "\r")
    prompt.child.expect(pexpect.EOF)
    prompt.child.close()
    assert prompt.child.exitstatus == 0


def test_a_prompt_with_no_exec(stuck: Debuggee, tmp_path: Path) -> None:
    each = Prompt(["--no-exec", stuck.host, stuck.port], tmp_path)
    assert each.cell("modules['sys']._current_frames();") == "\n"
    assert "locked _thread.RLock" in each.cell("modules.__main__.lock")
    assert each.cell("(1,", "2)") == "Out[2]: (1, 2)\n\n"
    assert each.cell("Out[2][1]") == "Out[3]: 2\n\n"
    assert "SyntaxError: cannot run code in the program: " in each.cell("1 + 1")
    assert each.leave() == 0


# ---- The history ---------------------------------------------------------------------------------


def test_the_history_is_kept_for_the_next_time(stuck: Debuggee, tmp_path: Path) -> None:
    where: list[object] = [stuck.host, stuck.port]
    first = Prompt(where, tmp_path)
    first.cell("'a \\\\ b'")
    first.cell("for i in range(2):", "    print(i)", "")
    assert first.leave() == 0
    path = tmp_path / "state" / "pystuck" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) == 2
    second = Prompt(where, tmp_path)
    second.type("\x1b[A")
    second.expect(r"print\(i\)")
    second.type("\r")
    assert "\n0\n1\n" in second.next()
    second.type("\x12")
    second.type("'a")
    second.expect(re.escape("'a \\\\ b'"))
    second.type("\r")
    assert "Out[1]: 'a \\\\ b'" in second.next()
    assert second.leave() == 0


def test_the_mode_of_a_history_that_others_can_read_is_changed(
    stuck: Debuggee, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "pystuck" / "history"
    path.parent.mkdir(parents=True)
    path.write_text("")
    path.chmod(0o644)
    each = Prompt([stuck.host, stuck.port], tmp_path)
    each.cell("1")
    assert each.leave() == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_prompts_append_to_one_history(stuck: Debuggee, tmp_path: Path) -> None:
    prompts = [Prompt([stuck.host, stuck.port], tmp_path) for _ in range(2)]
    for n in range(2):
        for each, name in zip(prompts, "ab"):
            each.cell(f"'{name}{n}'")
    for each in prompts:
        assert each.leave() == 0
    lines = (tmp_path / "state" / "pystuck" / "history").read_text().split()
    assert lines == ["'a0'", "'b0'", "'a1'", "'b1'"]


def test_a_prompt_works_without_a_directory_for_the_history(
    stuck: Debuggee, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file")
    each = Prompt([stuck.host, stuck.port], tmp_path)
    assert each.cell("1") == "Out[0]: 1\n\n"
    assert each.leave() == 0


# ---- Magics --------------------------------------------------------------------------------------


@pytest.mark.parametrize("magic", ["%threads", "%show threads"])
def test_the_stacks_can_be_seen_again(prompt: Prompt, magic: str) -> None:
    prompt.type(magic + "\r")
    prompt.expect("with lock:  # could block")
    prompt.number -= 1
    prompt.next()


def test_every_magic_is_explained(prompt: Prompt) -> None:
    prompt.type("%help\r")
    prompt.number -= 1
    text = prompt.next()
    for magic in ("%help", "%history", "%reconnect", "%show threads", "%threads"):
        assert f"  {magic} " in text


def test_a_magic_that_does_not_exist_is_an_error(prompt: Prompt) -> None:
    prompt.type("%nothing\r")
    prompt.expect("unknown command %nothing: type %help for a list")


def test_history_lists_the_cells(prompt: Prompt) -> None:
    prompt.cell("first = 1")
    prompt.type("%history\r")
    prompt.expect("first = 1\r\n")


# ---- The connection ------------------------------------------------------------------------------


def test_output_of_the_program_is_shown_above_the_typed_line(prompt: Prompt) -> None:
    """A thread that the cell has started calls the client's write function."""
    prompt.cell(
        "import sys, threading; write = sys.stdout._send",
    )
    prompt.cell("timer = threading.Timer(0.5, write, ['from a thread\\n']); timer.start()")
    prompt.type("half a line")
    prompt.expect("half a line")
    prompt.expect("from a thread")
    prompt.expect("half a line")


@pytest.mark.parametrize(("text", "rows"), [("short", 0), ("a" * 30, 1), ("é" * 12 + "漢" * 20, 3)])
def test_output_replaces_all_rows_of_a_typed_line_that_wraps(
    text: str, rows: int, stuck: Debuggee, tmp_path: Path
) -> None:
    narrow = Prompt([stuck.host, stuck.port], tmp_path, columns=20)
    narrow.cell("import sys, threading; write = sys.stdout._send")
    narrow.cell("timer = threading.Timer(0.5, write, ['from a thread\\n']); timer.start()")
    narrow.type(text)
    narrow.child.expect("from a thread")
    up = f"\x1b[{rows}A" if rows else ""
    assert narrow.child.before.endswith(up + "\r\x1b[J")
    assert up or not narrow.child.before.endswith("A\r\x1b[J")
    narrow.expect(r"In \[2\]: ")
    narrow.type("\x15")
    assert narrow.leave() == 0


def test_the_end_of_the_program_is_reported_and_reconnect_works(
    start_debuggee: Start, tmp_path: Path
) -> None:
    first = start_debuggee()
    each = Prompt([first.host, first.port], tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    first.ended = True
    each.expect("lost the connection \\(type %reconnect to connect again\\): ")
    each.expect("gone> ")
    each.type("1\r")
    each.expect("not connected: type %reconnect to connect again")
    each.expect("gone> ")
    each.type("%reconnect\r")
    each.expect("cannot reconnect: ")
    each.expect("gone> ")
    start_debuggee(port=first.port)
    each.type("%reconnect\r")
    each.number = -1
    each.next()
    assert each.cell("5") == "Out[0]: 5\n\n"
    assert each.leave() == 0


def test_a_prompt_leaves_nothing_in_the_program(
    stuck: Debuggee, tmp_path: Path, connect: Connect
) -> None:
    before = stuck.holdings()
    each = Prompt([stuck.host, stuck.port], tmp_path)
    each.cell("print('x')")
    each.cell("1 / 0")
    assert each.leave() == 0
    stuck.wait_until_back_to(before)
    c = connect(stuck)
    assert c.eval("__import__('sys').stdout is __import__('sys').__stdout__")
    assert not [n for n in c.eval("tuple(__import__('linecache').cache)") if n.startswith("<cell")]


@pytest.mark.parametrize("columns", [20, 300])
def test_the_terminal_may_be_narrow_or_wide(stuck: Debuggee, tmp_path: Path, columns: int) -> None:
    each = Prompt([stuck.host, stuck.port], tmp_path, columns)
    text = each.cell("tuple(range(40))")
    widest = max(len(line) for line in text.split("Out[0]:")[1].splitlines())
    assert widest <= columns
    assert (widest > 80) == (columns == 300)
    assert each.leave() == 0
