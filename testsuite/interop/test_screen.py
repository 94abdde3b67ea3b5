# SPDX-License-Identifier: BSD-3-Clause
"""The screen of a terminal on which pystuck(1) shows its prompt."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from harness import Debuggee, starts_a_shell
from screens import OnScreen, WrappingScreen, client_command, write_all

OpenPrompt = Callable[..., OnScreen]


@pytest.fixture
def prompt_on(stuck: Debuggee, tmp_path: Path) -> Iterator[OpenPrompt]:
    """Opens a prompt on the stuck program."""
    with contextlib.ExitStack() as opened:

        def open_prompt(**options: object) -> OnScreen:
            prompt = OnScreen(client_command(stuck.host, stuck.port), tmp_path, **options)
            opened.callback(prompt.close)
            prompt.wait_for(["In [0]:"], (0, 8))
            return prompt

        yield open_prompt


def laid_out(text: str, columns: int) -> list[str]:
    """The rows of a text on a terminal with so many columns."""
    return [text[at : at + columns].rstrip() for at in range(0, len(text), columns)]


def at(text: str, columns: int) -> tuple[int, int]:
    """The position of the cursor behind a text."""
    return len(text) // columns, len(text) % columns


def row(above: list[str], place: tuple[int, int]) -> tuple[int, int]:
    """A position below other rows."""
    return len(above) + place[0], place[1]


# ---- Ctrl-C --------------------------------------------------------------------------------------

#: Seconds between Ctrl-C and the next key.
PAUSES = (0, 0, 0, 0, 0.0003, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.03)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", ["In [0]: ^C"]),
        ("abc", ["In [0]: abc^C"]),
        ("abcdef\x1b[D\x1b[D\x1b[D", ["In [0]: abcdef^C"]),
        ("x" * 120 + "\x01", ["In [0]: " + "x" * 52, "x" * 60, "x" * 8 + "^C"]),
        ("def f():\r    x", ["In [0]: def f():", "   ...:     x^C"]),
        ("h\xe9\x1b", ["In [0]: h\xe9^C"]),
    ],
)
def test_keys_typed_after_ctrl_c_are_on_a_new_line(
    prompt_on: OpenPrompt, typed: str, shown: list[str]
) -> None:
    prompt = prompt_on()
    for pause in PAUSES:
        prompt.type(typed)
        prompt.wait_for([*shown[:-1], shown[-1].removesuffix("^C").rstrip()])
        prompt.type("\x03")
        time.sleep(pause)
        prompt.type("xyz")
        prompt.wait_for([*shown, "In [0]: xyz"], (len(shown), 11))
        prompt.type("\x15")
        prompt.wait_for(["In [0]:"], (0, 8))


def test_ctrl_c_ends_a_search(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("'found'\r")
    prompt.wait_for(["Out[0]: 'found'", "", "In [1]:"])
    for pause in PAUSES:
        prompt.type("\x12fou")
        prompt.wait_for(["In [1]: 'found'", "bck:fou"])
        prompt.type("\x03")
        time.sleep(pause)
        prompt.type("xyz")
        prompt.wait_for(["In [1]: xyz"], (0, 11))
        prompt.type("\x15\x0c")
        prompt.wait_for(["In [1]:"])


def test_ctrl_c_right_after_a_cell_loses_no_key(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    for number, pause in enumerate(PAUSES):
        prompt.type("1\r")
        time.sleep(pause)
        prompt.type("\x03")
        # Ctrl-C arrives at the first line, in its cell or at the next line. A prompt must follow.
        prompt.type("\x15'next'")
        prompt.wait(lambda: prompt.rows()[-1].endswith("]: 'next'"), f"round {number}")
        assert prompt.rows()[-1].startswith("In [")
        prompt.type("\x15")
        prompt.wait(lambda: prompt.rows()[-1].endswith("]:"), f"round {number}")


def test_ctrl_c_in_a_cell_drops_earlier_keys_and_keeps_later_ones(
    prompt_on: OpenPrompt,
) -> None:
    prompt = prompt_on(columns=80)
    prompt.type("import time; print('begun'); [time.sleep(0.01) for _ in iter(int, 1)]\r")
    prompt.wait_for(["begun"])
    prompt.wait(lambda: prompt.modes() == (True, True), "waited for the terminal's modes")
    prompt.type("print('typed ahead')\rmore")
    prompt.wait_for(["print('typed ahead')", "more"])
    prompt.type("\x03")
    time.sleep(0.01)
    prompt.type("xyz")
    prompt.wait_for(["KeyboardInterrupt", "", "In [1]: xyz"], (2, 11))
    assert "typed ahead" not in prompt.rows()


def test_a_traceback_begins_a_line_after_ctrl_c(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("input('name? ')\r")
    prompt.wait_for(["name?"])
    prompt.wait(lambda: prompt.modes() == (True, True), "waited for the terminal's modes")
    prompt.type("\x03")
    prompt.wait_for(["KeyboardInterrupt", "", "In [1]:"])
    assert "name? ^C" in prompt.rows()
    assert "Traceback (most recent call last):" in prompt.rows()


def test_the_next_prompt_gets_keys_typed_while_a_cell_runs(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("import time; print('begun'); time.sleep(0.5)\r")
    prompt.wait_for(["begun"])
    prompt.type("6 * 7\rxyz")
    prompt.wait_for(["Out[1]: 42", "", "In [2]: xyz"], (2, 11))


def test_input_gets_keys_that_were_typed_before(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("a, b = input('a? '), input('b? ')\rone\rtwo\r(a, b)\rxyz")
    prompt.wait_for(["Out[1]: ('one', 'two')", "", "In [2]: xyz"], (2, 11))
    assert {"a? one", "b? two"} <= set(prompt.rows())


# ---- The window ----------------------------------------------------------------------------------

TEXT = "".join(chr(ord("a") + number % 26) for number in range(150))


#: The number of typed characters, how many of them are behind the cursor, and the widths to which
#: the window is resized from 60 columns.
RESIZED = [
    (length, left, widths)
    for length, left in ((3, 0), (3, 2), (70, 0), (70, 60), (150, 0), (150, 60))
    for widths in ((80,), (40,), (30, 100), (100, 30))
]


@pytest.mark.parametrize(
    ("screen", "tells"),
    [(pyte.Screen, True), (pyte.Screen, False), (WrappingScreen, True)],
    ids=["leaves rows", "leaves rows and tells nothing", "wraps"],
)
def test_a_line_is_shown_once_after_the_window_was_resized(
    prompt_on: OpenPrompt, screen: type[pyte.Screen], tells: bool
) -> None:
    prompt = prompt_on(screen=screen, tells=tells)
    prompt.type("\x0c")
    prompt.wait(lambda: prompt.rows() == ["In [0]:"], "waited for an empty screen")
    prompt.type("'above'\r")
    above = ["In [0]: 'above'", "Out[0]: 'above'", ""]
    for length, left, widths in RESIZED:
        before, after = TEXT[: length - left], TEXT[length - left : length]
        prompt.type(before + after + "\x02" * left)
        text = "In [1]: " + before
        prompt.wait_for([*above, *laid_out(text + after, 60)], row(above, at(text, 60)))
        for width, key in zip(widths, "XY"):
            prompt.resize(width)
            prompt.type(key)  # shows that the client knows
            text += key
            rows = [*above, *laid_out(text + after, width)]
            prompt.wait_for(rows, row(above, at(text, width)))
            assert prompt.rows() == rows
        prompt.type("\x05\x15")
        prompt.wait_for([*above, "In [1]:"])
        prompt.resize(60)


def test_wide_characters_are_shown_once_after_a_resize(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on(columns=20)
    prompt.type("\N{CJK UNIFIED IDEOGRAPH-6F22}" * 15)
    rows = ["In [0]: " + "\u6f22" * 6, "\u6f22" * 9]
    prompt.wait_for(rows, (1, 18))
    prompt.resize(31)
    prompt.type("X")
    prompt.wait_for(["In [0]: " + "\u6f22" * 11, "\u6f22" * 4 + "X"], (1, 9))
    assert len([row for row in prompt.rows() if "In [0]" in row]) == 1


def test_a_line_of_a_block_is_shown_once_after_a_resize(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("def f():\r    return 1")
    prompt.wait_for(["In [0]: def f():", "   ...:     return 1"])
    prompt.resize(50)
    prompt.type("0")
    prompt.wait_for(["In [0]: def f():", "   ...:     return 10"], (1, 21))
    prompt.type("\r\r")
    prompt.wait_for(["In [1]:"])
    # The history returns the cell as one line that contains a newline.
    prompt.type("\x1b[A")
    prompt.wait_for(["In [1]: def f():", "    return 10"], (1, 13))
    prompt.resize(70)
    prompt.type("0")
    prompt.wait_for(["", "In [1]: def f():", "    return 100"], (2, 14))


def test_the_window_may_be_resized_in_a_search(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("'found'\r")
    prompt.wait_for(["Out[0]: 'found'", "", "In [1]:"])
    prompt.type("\x12fou")
    prompt.wait_for(["In [1]: 'found'", "bck:fou"])
    prompt.resize(50)
    prompt.type("n")
    prompt.wait_for(["Out[0]: 'found'", "", "In [1]: 'found'", "bck:foun"])


def test_the_next_line_fits_a_window_that_was_resized_while_a_cell_ran(
    prompt_on: OpenPrompt,
) -> None:
    prompt = prompt_on()
    prompt.type("import time; print('begun'); time.sleep(0.5)\r")
    prompt.wait_for(["begun"])
    prompt.resize(40)
    prompt.type("x" * 50)
    prompt.wait_for(["In [1]: " + "x" * 32, "x" * 18], (1, 18))


# ---- Ctrl-Z --------------------------------------------------------------------------------------


@pytest.fixture
def shell(stuck: Debuggee, tmp_path: Path) -> Iterator[OnScreen]:
    """A shell with job control, in which the client has been started."""
    opened = OnScreen(["env", "PS1=sh> ", "ENV=", "sh", "-i"], tmp_path, columns=100)
    try:
        opened.wait_for(["sh>"])
        opened.type("clear; " + shlex.join(client_command(stuck.host, stuck.port)) + "\r")
        opened.wait_for(["In [0]:"], (0, 8))
        yield opened
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.tcgetpgrp(opened.child.child_fd), signal.SIGKILL)
        opened.close()


def wait_for_shell(shell: OnScreen) -> None:
    """Waits until the client is stopped and the terminal has the modes that a shell expects."""
    shell.wait(lambda: shell.rows()[-1] == "sh>", "waited for the shell's prompt")
    assert shell.modes() == (True, True)
    assert not shell.brackets_pastes()


@starts_a_shell
@pytest.mark.parametrize(
    ("typed", "shown", "then"),
    [
        ("abc", "In [0]: abc", "In [0]: abcX"),
        ("abcdef\x02\x02\x02", "In [0]: abcdef", "In [0]: abcXdef"),
        ("def f():\r    pass", "   ...:     pass", "   ...:     passX"),
    ],
)
def test_the_line_is_shown_again_when_the_client_is_continued(
    shell: OnScreen, typed: str, shown: str, then: str
) -> None:
    shell.type(typed)
    shell.wait(lambda: shell.rows()[-1] == shown, "waited for the line")
    for letters in ("X", "XX"):
        assert shell.brackets_pastes()
        shell.type("\x1a")
        wait_for_shell(shell)
        line = shown if letters == "X" else then
        assert [row for row in shell.rows() if row.startswith(line + "^Z")]
        shell.type("fg\r")
        shell.wait_for([line])
        shell.type("X")
        shell.wait_for([then.replace("X", letters)])
    shell.type("\x03")
    shell.wait_for(["In [0]:"])
    shell.type("6 * 7\r")
    shell.wait_for(["Out[0]: 42", "", "In [1]:"], (2, 8))


@starts_a_shell
def test_a_line_is_laid_out_anew_when_the_client_is_continued_in_another_window(
    shell: OnScreen,
) -> None:
    shell.type("x" * 150)
    shell.wait_for(laid_out("In [0]: " + "x" * 150, 100))
    shell.type("\x1a")
    wait_for_shell(shell)
    shell.resize(50)
    shell.type("fg\r")
    shell.wait_for(laid_out("In [0]: " + "x" * 150, 50), (3, 8))


@starts_a_shell
def test_a_cell_can_be_stopped_and_continued(shell: OnScreen) -> None:
    shell.type("import time; print('begun'); input('name? ')\r")
    shell.wait_for(["begun", "name?"])
    shell.wait(lambda: shell.modes() == (True, True), "waited for the terminal's modes")
    shell.type("\x1a")
    wait_for_shell(shell)
    shell.type("fg\r")
    shell.wait(lambda: "--no-stacks" in shell.rows()[-1], "waited for the client")
    shell.type("Ada\r")
    shell.wait_for(["Out[0]: 'Ada'", "", "In [1]:"], (2, 8))
    shell.wait(lambda: shell.modes() == (False, False), "waited for the terminal's modes")
    assert shell.brackets_pastes()


@starts_a_shell
def test_the_line_is_shown_again_after_a_stop_that_cannot_be_caught(shell: OnScreen) -> None:
    shell.type("abc")
    shell.wait_for(["In [0]: abc"])
    os.killpg(os.tcgetpgrp(shell.child.child_fd), signal.SIGSTOP)
    shell.wait(lambda: shell.rows()[-1] == "sh>", "waited for the shell's prompt")
    shell.type("stty sane; fg\r")
    shell.wait_for(["In [0]: abc"])
    shell.type("X")
    shell.wait_for(["In [0]: abcX"], (0, 12))
    assert shell.modes() == (False, False)


@starts_a_shell
@pytest.mark.parametrize("leave", ["\x04", "exit\r"])
def test_the_terminal_is_left_as_it_was(shell: OnScreen, leave: str) -> None:
    shell.type(leave)
    wait_for_shell(shell)


# ---- Pasting -------------------------------------------------------------------------------------


@pytest.fixture(params=["dumb", "xterm"])
def pasting(request: pytest.FixtureRequest, prompt_on: OpenPrompt) -> OnScreen:
    """A prompt on a terminal that does not mark what is pasted."""
    return prompt_on(term=request.param, columns=80)


def wait_for_cells(prompt: OnScreen) -> None:
    """Waits until some pasted lines have run."""

    def numbers() -> list[int]:
        return [int(number) for number in re.findall(r"In \[(\d+)\]", "\n".join(prompt.rows()))]

    prompt.wait(lambda: max(numbers(), default=0) >= 4, "waited for cells")


def ask(prompt: OnScreen, code: str) -> int:
    """The number that a cell returns. Repeats the cell, which may be dropped as pasted text."""
    shown = 0.0

    def answer() -> str | None:
        nonlocal shown
        if prompt.rows()[-1].startswith("In [") and time.monotonic() > shown + 1:
            shown = time.monotonic()
            prompt.type("\x15" + code + "\r")  # ^U (0x15) clears what a dropped piece has left
        answers = [row for row in prompt.rows() if row.startswith("Out[")]
        return answers[-1] if answers else None

    prompt.wait(lambda: bool(answer()), f"waited for {code}")
    return int((answer() or "").partition(": ")[2])


@pytest.mark.parametrize("lines", [40, 1500])
@pytest.mark.rotates(2)
def test_ctrl_c_drops_the_rest_of_what_is_pasted(pasting: OnScreen, lines: int) -> None:
    pasting.type("import time; ran = []\r")
    pasting.wait_for(["In [1]:"])
    # The terminal takes no more than some 64 KB before the client reads.
    pasted = "".join(f"ran.append({n}); time.sleep(0.05)\r" for n in range(lines))
    writer = threading.Thread(target=write_all, args=(pasting.child.child_fd, pasted))
    writer.start()
    wait_for_cells(pasting)
    writer.join()
    pasting.type("\x03")
    assert 3 <= ask(pasting, "len(ran)") < lines


def test_ctrl_c_drops_lines_of_a_paste_that_arrive_after_it(pasting: OnScreen) -> None:
    pasting.type("import time; ran = []\r")
    pasting.wait_for(["In [1]:"])
    line = "ran.append({}); time.sleep(0.05)\r"
    pasting.type("".join(line.format(n) for n in range(20)))
    wait_for_cells(pasting)
    pasting.type("\x03" + "".join(line.format(n) for n in range(20, 40)))
    assert 2 <= ask(pasting, "max(ran)") < 20


def interrupt_a_paste(prompt: OnScreen) -> None:
    """Pastes lines that set `ran`, and presses Ctrl-C while they run."""
    prompt.type("import time; ran = []\r")
    prompt.wait_for(["In [1]:"])
    prompt.type("".join(f"ran.append({n}); time.sleep(0.05)\r" for n in range(20)))
    wait_for_cells(prompt)
    prompt.type("\x03")


def test_keys_typed_right_after_ctrl_c_in_a_paste_are_kept(pasting: OnScreen) -> None:
    interrupt_a_paste(pasting)
    for pause, key in zip((0.005, 0.015, 0.02, 0.1), "wxyz"):
        time.sleep(pause)
        pasting.type(key)
    pasting.wait(lambda: pasting.rows()[-1].endswith("]: wxyz"), "waited for the keys")


#: How the rest of a paste arrives after Ctrl-C: pieces, and seconds between them.
RESTS = {
    "slow pieces": (["ran.append(100); x = 1\rran.append(101)\r"] * 5, 0.12),
    "cut lines": (["pend(100)\rran.append(101); time.sle"] * 5, 0.2),
    "single lines": (["ran.append(100)\r"] * 8, 0.06),
    "single characters": (list("ran.append(100)\rran.append(101)\r"), 0.002),
}


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.rotates(4)
def test_pieces_of_a_paste_after_ctrl_c_are_not_run(pasting: OnScreen, rest: str) -> None:
    interrupt_a_paste(pasting)
    pieces, pause = RESTS[rest]
    for piece in pieces:
        time.sleep(pause)
        pasting.type(piece)
    assert 2 <= ask(pasting, "max(ran)") < 20


def test_ctrl_c_in_a_bracketed_paste_drops_all_of_it(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on()
    prompt.type("\x1b[200~print('pasted')\n\x03print('after')\n\x1b[201~")
    prompt.wait_for(["In [0]: ^C", "In [0]:"], (1, 8))
    prompt.type("6 * 7\r")
    prompt.wait_for(["In [0]: 6 * 7", "Out[0]: 42", "", "In [1]:"], (3, 8))


def test_no_escape_sequences_are_sent_to_a_dumb_terminal(prompt_on: OpenPrompt) -> None:
    prompt = prompt_on(term="dumb")
    prompt.child.logfile_read = written = io.StringIO()
    prompt.type("6 * 7\r")
    prompt.wait_for(["Out[0]: 42", "", "In [1]:"])
    prompt.type("abc")
    prompt.wait_for(["In [1]: abc"])
    prompt.type("\x03")
    prompt.wait_for(["In [1]: abc^C", "In [1]:"])
    prompt.resize(50)
    prompt.type("X")
    prompt.wait(lambda: prompt.rows()[-1] == "In [1]: X", "waited for the line")
    assert "\x1b" not in written.getvalue()
