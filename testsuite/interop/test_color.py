# SPDX-License-Identifier: BSD-3-Clause
"""Colours: --color and NO_COLOR."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pexpect
import pytest
from harness import PATIENCE, Debuggee, c_program, clean_environment, pystuck

GREEN, RED, BOLD, END = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"

#: Sequences that change colours.
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(*arguments: object, **environment: str) -> str:
    """The output of the client on a terminal."""
    argv = c_program("PYSTUCK_BIN", *arguments)
    env = clean_environment(**{"NO_COLOR": "", "TERM": "xterm"} | environment)
    client = pexpect.spawn(argv[0], argv[1:], env=env, timeout=PATIENCE, encoding="utf-8")
    text = client.read()
    client.close()
    return text.replace("\r\n", "\n")


WHEN = [
    ([], {}, True),
    (["--color=auto"], {}, True),
    (["--color=auto"], {"NO_COLOR": "1"}, False),
    ([], {"NO_COLOR": "0"}, False),
    ([], {"TERM": "dumb"}, False),
    (["--color=never"], {}, False),
    (["--color=always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
]


@pytest.mark.parametrize(("options", "environment", "expected"), WHEN, ids=str)
def test_a_terminal_gets_colours_when_it_is_to(
    stuck: Debuggee, options: list[str], environment: dict[str, str], expected: bool
) -> None:
    text = on_a_terminal(*options, "--no-repl", stuck.host, stuck.port, **environment)
    assert bool(COLOR.search(text)) is expected


@pytest.mark.parametrize(
    ("options", "expected"), [([], False), (["--color=always"], True), (["--color=never"], False)]
)
def test_a_pipe_gets_colours_only_if_they_are_asked_for(
    stuck: Debuggee, options: list[str], expected: bool
) -> None:
    where = stuck.host, stuck.port
    for done in (
        pystuck(*options, "--no-repl", *where, NO_COLOR=""),
        pystuck(*options, "-c", "1/0", *where, NO_COLOR=""),
        pystuck(*options, "127.0.0.1", "1", NO_COLOR=""),
    ):
        assert bool(COLOR.search(done.stdout + done.stderr)) is expected


@pytest.mark.parametrize("when", ["", "sometimes", "Always"])
def test_another_word_is_a_usage_error(when: str) -> None:
    done = pystuck(f"--color={when}")
    assert done.returncode == 2
    assert done.stderr == f"pystuck: invalid --color '{when}': expected auto, always or never\n"


def test_reasons_are_red_and_the_titles_of_threads_are_bold(stuck: Debuggee) -> None:
    where = "--no-repl", stuck.host, stuck.port
    plain, text = pystuck(*where).stdout, pystuck("--color=always", *where).stdout
    assert COLOR.sub("", text) == plain
    reason, *titles = [line for line in text.splitlines() if COLOR.search(line)]
    assert re.fullmatch(re.escape(RED) + r"MainThread waits [^\x1b]+" + re.escape(END), reason)
    assert len(titles) == 2
    for line in titles:
        assert re.fullmatch(re.escape(BOLD) + r"<[^\x1b]+>" + re.escape(END), line)


def test_the_last_line_of_a_traceback_is_red(stuck: Debuggee) -> None:
    done = pystuck("--color=always", "-c", "1/0", stuck.host, stuck.port)
    *rest, last = done.stderr.splitlines()
    assert last == f"{RED}ZeroDivisionError: division by zero{END}"
    assert not COLOR.search("".join(rest))


def test_messages_are_red() -> None:
    first = pystuck("--color=always", "127.0.0.1", "1").stderr.splitlines()[0]
    assert first.startswith(f"{RED}pystuck: ")
    assert first.endswith(END)


def test_json_has_no_colours(stuck: Debuggee) -> None:
    done = pystuck("--color=always", "--json", stuck.host, stuck.port)
    assert "\x1b" not in done.stdout


def test_colours_of_the_other_side_do_not_come_through(stuck: Debuggee) -> None:
    code = "print('\\x1b[35mx'); raise ValueError('\\x1b[36my')"
    done = pystuck("--color=always", "-c", code, stuck.host, stuck.port)
    assert done.stdout == "\\x1b[35mx\n"
    assert done.stderr.endswith(f"\n{RED}ValueError: \\x1b[36my{END}\n")


#: Invalid UTF-8, as arguments of printf: a byte that controls some terminals, half a character, an
#: overlong slash, and so on.
NO_TEXT = r"\2331m \303 \300\257 \355\240\200 \364\220\200\200 \370 \342\200"


def test_bytes_that_are_no_utf_8_do_not_reach_a_terminal() -> None:
    script = """name=$1; shift; exec "$@" --unix-socket="/$(printf "$name")" """
    argv = ["-c", script, "sh", NO_TEXT, *c_program("PYSTUCK_BIN")]
    client = pexpect.spawn("sh", argv, env=clean_environment(), timeout=PATIENCE, encoding="utf-8")
    shown = r"/\x9b1m \xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xf8 \xe2\x80"
    assert client.read().startswith(f"pystuck: there is no socket {shown}: run pystuck --list ")
    client.close()


# ---- The prompt ----------------------------------------------------------------------------------

LINES = ["'a long line that goes on, on a small terminal' * 1", "1 / 0", "[", "2]", "%nothing"]


def typed(debuggee: Debuggee, home: Path, columns: int, **environment: str) -> str:
    """The output to a terminal while LINES are typed."""
    argv = c_program("PYSTUCK_BIN", "--no-stacks", debuggee.host, debuggee.port)
    env: dict[str, Any] = clean_environment(
        **{"HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": ""} | environment
    )
    env.pop("XDG_STATE_HOME", None)
    child = pexpect.spawn(
        argv[0], argv[1:], env=env, timeout=PATIENCE, encoding="utf-8", dimensions=(40, columns)
    )
    text = ""
    try:
        for line, prompt in zip([*LINES, "\x04"], ["0", "1", "2", None, "3", "3"]):
            child.expect(rf"In \[{prompt}\]:\S* " if prompt else r"\.\.\.:\S* ")
            text += child.before + child.after
            child.send(line if line == "\x04" else line + "\r")
        child.expect(pexpect.EOF)
        return text + child.before
    finally:
        child.close(force=True)


def test_the_prompt_has_the_colours_of_ipython(stuck: Debuggee, tmp_path: Path) -> None:
    text = typed(stuck, tmp_path, 80)
    assert f"{GREEN}In [0]:{END} " in text
    assert f"{GREEN}   ...:{END} " in text
    assert f"{RED}Out[2]:{END} [2]" in text
    assert f"{RED}ZeroDivisionError: division by zero{END}" in text


@pytest.mark.parametrize("columns", [20, 80, 300])
def test_colours_take_no_room_at_the_prompt(stuck: Debuggee, tmp_path: Path, columns: int) -> None:
    plain = typed(stuck, tmp_path, columns, NO_COLOR="1")
    colored = typed(stuck, tmp_path, columns)
    assert not COLOR.search(plain)
    assert COLOR.sub("", colored) == plain
