# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) and a program that cannot run Python: the server answers the request for the stacks
alone, until the GIL is free again."""

from __future__ import annotations

import json
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import PATIENCE, Debuggee, pystuck, wait_until
from hostile import ROOT, Liar, Message, Server
from prompts import Prompt
from rawpeer import Handler

MATCH = ("/usr/lib/python3.11/re/__init__.py", 166, "match", None, None, "skipped")
CHECK = ("/srv/app/rules.py", 41, "check", None, None, "skipped")
LOOP = ("/srv/app/main.py", 7, "loop", None, None, "skipped")


def thread(number: int, name: str, *frames: Any, state: str = "S", exact: bool = True) -> Any:
    """A thread of a report, as report/schema.c has it."""
    title = f"<Thread({name}, started {number})>"
    return (f"thread:{number}", number, 100 + number, 0, name, "threading", False, number == 1,
            title, "ok", state, None, exact, None, frames)  # fmt: skip


def process(gil: Any) -> Any:
    """A process of a report, read without Python."""
    threads = (
        thread(1, "MainThread", LOOP, exact=False),
        thread(2, "Thread-2 (worker)", CHECK, MATCH, state="R"),
    )
    missing = (("source", "the GIL is held"), ("greenlets", "the GIL is held"))
    return 2, 1.5, *[None] * 11, "self", missing, None, gil, threads


HELD = ("held", "thread:2", 100, "the GIL did not change hands")
SENTENCE = (
    "GIL held for at least 0.1 s by Thread-2 (worker), in C code called from re.match "
    "(rules.py:41), running"
)
#: What pystuck prints for process(HELD).
PRINTED = f"""\
{SENTENCE}

<Thread(MainThread, started 1)> (moving)
  File "/srv/app/main.py", line 7, in loop

<Thread(Thread-2 (worker), started 2)>
  File "/srv/app/rules.py", line 41, in check
  File "/usr/lib/python3.11/re/__init__.py", line 166, in match
  # running, has the GIL

not shown: source lines, greenlets (the GIL is held)
"""


class Held(Server):
    """A server whose program cannot run Python: until release() is called, and after hold().

    A thread that serves a client answers requests for the stacks while it waits with the root. It
    answers nothing after it has begun to run something.
    """

    def __init__(self, gil: Any = HELD) -> None:
        self.gil = gil
        self.stacks = 0  # requests for the stacks that were answered
        self.cells = 0  # cells that have begun
        self.cell_takes_the_gil = False
        self._released = threading.Event()
        self._blocked: set[Liar] = set()
        super().__init__(root=self._root, stacks=self._stacks, cell=self._cell)

    def __exit__(self, *error: object) -> None:
        self.release()
        super().__exit__(*error)

    def hold(self) -> None:
        """Takes the GIL: all clients that have been served so far get no more answers."""
        self._blocked = set(self.clients)
        self._released.clear()

    def release(self) -> None:
        """Lets the program run Python again."""
        self._released.set()

    def _root(self, liar: Liar, message: Message) -> None:
        while not self._released.is_set():
            if select.select([liar.sock], [], [], 0.02)[0]:
                request = liar.receive()
                if request is None or request.args[0] == Handler.CLOSE:
                    return
                liar.answer_to(request)
        liar.give(message, ROOT)

    def _cell(self, liar: Liar, message: Message) -> None:
        if self.cell_takes_the_gil:
            self.hold()
        self.cells += 1
        self._released.wait(2 * PATIENCE)
        liar.give(message, (True, "'a value'"))

    def _stacks(self, liar: Liar, message: Message) -> None:
        if liar in self._blocked:
            self._released.wait(2 * PATIENCE)
        self.stacks += 1
        liar.give(message, (2, process(None if self._released.is_set() else self.gil)))


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as server:
        yield server


def test_the_stacks_are_printed_although_the_root_does_not_come(held: Held) -> None:
    start = time.monotonic()
    done = pystuck(*held.address)
    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED, "")
    assert held.stacks == 1
    assert time.monotonic() - start < PATIENCE / 2  # no time limit has to expire


def test_json_has_the_finding(held: Held) -> None:
    done = pystuck("--json", *held.address)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["findings"] == [
        {
            "kind": "gil",
            "text": SENTENCE,
            "members": ["thread:2"],
            "certainty": "known",
            "evidence": ["gil", "thread:2"],
            "lines": [],
        }
    ]
    assert [each["exact"] for each in report["threads"]] == [False, True]
    assert [each["what"] for each in report["missing"]] == ["source", "greenlets"]


def test_the_plain_format_has_the_stacks_alone(held: Held) -> None:
    done = pystuck("--format=plain", *held.address)
    stacks = PRINTED.split("\n\n", 1)[1].rsplit("\n", 2)[0] + "\n"
    stacks = stacks.replace("  # running, has the GIL\n", "")
    assert (done.returncode, done.stdout) == (0, stacks.replace(" (moving)", ""))


@pytest.mark.parametrize(
    ("arguments", "stdin"), [(["-c", "1"], ""), ([], "1"), (["--stacks", "-c", "1"], "")]
)
def test_code_waits_for_the_gil_until_the_timeout(
    held: Held, arguments: list[str], stdin: str
) -> None:
    done = pystuck("--timeout=0.3", *arguments, *held.address, stdin=stdin)
    printed = PRINTED if "--stacks" in arguments else ""
    assert (done.returncode, done.stdout) == (1, printed)
    assert done.stderr == f"pystuck: cannot run code: {SENTENCE}\n"


def test_code_runs_when_the_gil_is_free_in_time(held: Held) -> None:
    timer = threading.Timer(0.2, held.release)
    timer.start()
    done = pystuck("--stacks", "-c", "1", *held.address)
    timer.join()
    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED + "'a value'\n", "")


@pytest.mark.parametrize(
    ("gil", "words"),
    [
        (
            ("held", "thread:2", None, None),
            "GIL not available: held by Thread-2 (worker) when the stacks were read, in re.match "
            "(rules.py:41)",
        ),
        (
            ("held", None, 12999, None),
            "GIL held for at least 12 s by a thread that is not known",
        ),
        (
            ("held", "thread:1", 12999, None),
            "GIL held for at least 12 s by MainThread, in C code called from loop (about "
            "main.py:7), sleeping",
        ),
    ],
)
def test_the_first_line_claims_no_more_than_is_known(gil: Any, words: str) -> None:
    with Held(gil) as server:
        done = pystuck(*server.address)
    assert done.stdout.startswith(words + "\n\n<")


# ---- The prompt ----------------------------------------------------------------------------------


class HeldPrompt(Prompt):
    """A prompt for a program that cannot run Python when it is opened."""

    def next(self) -> str:
        if self.number >= 0:
            return super().next()
        self.number = 0
        self.greeting = self.expect("held> ")
        return self.greeting

    def command(self, line: str) -> str:
        """Types a line at the prompt "held>". Returns the output."""
        self.type(line + "\r")
        self.expect("\n")
        return self.expect("held> ")


def test_commands_work_while_the_gil_is_held(held: Held, tmp_path: Path) -> None:
    prompt = HeldPrompt(list(held.address), tmp_path, 200)
    assert "The program cannot run code now" in prompt.greeting
    assert prompt.command("%threads") == PRINTED
    assert "%threads" in prompt.command("%help")
    assert prompt.command("1 + 1") == f"cannot run code now: {SENTENCE}\n"
    assert prompt.command("%time 1") == f"cannot run code now: {SENTENCE}\n"
    assert prompt.command("x\t") == f"cannot run code now: {SENTENCE}\n"
    assert prompt.command("%reconnect") == f"connected, but cannot run code now: {SENTENCE}\n"
    assert prompt.command("%threads") == PRINTED
    assert prompt.leave() == 0


def test_cells_work_as_soon_as_the_gil_is_free(held: Held, tmp_path: Path) -> None:
    prompt = HeldPrompt(list(held.address), tmp_path)
    prompt.type("%threads")  # what is being typed stays
    prompt.expect("%threads")
    held.release()
    prompt.expect("the program runs Python code again: cells work now\r\n")
    prompt.expect(r"In \[0\]: %threads")
    prompt.type("\x15x\r")
    prompt.expect(r"Out\[0\]: 'a value'")
    assert prompt.leave() == 0


def test_the_stacks_come_on_another_connection_if_the_thread_is_blocked(
    held: Held, tmp_path: Path
) -> None:
    held.release()
    prompt = Prompt(list(held.address), tmp_path, 200)
    held.hold()
    prompt.type("%threads\r")
    prompt.expect(re.escape(SENTENCE))
    prompt.expect(r"In \[0\]: ")
    assert prompt.leave() == 0


def test_a_cell_that_takes_the_gil_does_not_end_the_prompt(held: Held, tmp_path: Path) -> None:
    held.release()
    prompt = Prompt(list(held.address), tmp_path, 200)
    held.cell_takes_the_gil = True
    prompt.type("x\r")
    wait_until(lambda: held.cells == 1, "the cell to run")
    prompt.type("\x03")
    prompt.expect(f"cannot interrupt the cell: {re.escape(SENTENCE)}")
    prompt.type("\x03")
    prompt.expect(r"could not interrupt In \[0\]: it keeps running in the program")
    prompt.expect(f"connected again, but cannot run code now: {re.escape(SENTENCE)}")
    prompt.expect("held> ")
    prompt.type("%threads\r")
    prompt.expect(re.escape("not shown: source lines, greenlets (the GIL is held)"))
    held.release()
    prompt.expect(r"In \[0\]: ")
    assert prompt.leave() == 0


# ---- With a real server --------------------------------------------------------------------------

#: For plain.py: a thread keeps the GIL until a line arrives on stdin.
KEEPS_THE_GIL = """
import ctypes, threading
line, read = ctypes.create_string_buffer(100), ctypes.PyDLL(None).read

def keep():
    read(0, line, 100)

thread = threading.Thread(target=keep, name="keeper")
print("keeping", flush=True)
thread.start()
thread.join()
"""


def test_a_real_program_is_answered_and_goes_on(
    start_debuggee: Callable[..., Debuggee], tmp_path: Path
) -> None:
    program = start_debuggee("plain.py", arguments=("", KEEPS_THE_GIL + "sys.stdin.readline()"))
    program.write("keep it\n")
    assert program.read_line() == "keeping"
    done = wait_until(lambda: first_line(program, "GIL held"), "the GIL to be held")
    assert re.fullmatch(
        r"GIL held for at least \d+\.\d s by keeper, in C code called from keep "
        r"\(<string>:6\), in the system call read",
        done,
    )
    found = json.loads(pystuck("--json", program.host, program.port).stdout)
    (call,) = (each["syscall"] for each in found["threads"] if each["name"] == "keeper")
    assert (call["name"], call["fd"], call["target"]["kind"]) == ("read", 0, "pipe")
    prompt = HeldPrompt([program.host, program.port], tmp_path)
    program.write("go on\n")
    prompt.expect("the program runs Python code again: cells work now")
    prompt.expect(r"In \[0\]: ")
    assert "42" in prompt.cell("6 * 7")
    assert prompt.leave() == 0
    program.write("end\n")


def first_line(program: Debuggee, start: str) -> str | None:
    """The first line of what pystuck prints, if it starts so."""
    done = pystuck("--no-repl", program.host, program.port)
    assert (done.returncode, done.stderr) == (0, "")
    line = done.stdout.partition("\n")[0]
    return line if line.startswith(start) else None
