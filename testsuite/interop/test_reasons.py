# SPDX-License-Identifier: BSD-3-Clause
"""Why threads are stuck, as pystuck(1) prints it. The facts come from a server of the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from harness import pystuck
from hostile import Liar, Message, Server

LIBRARY = "/usr/lib/python3.11/threading.py"
RUNNER = [
    ("<frozen runpy>", 198, "_run_module_as_main"),
    ("<frozen runpy>", 88, "_run_code"),
    ("/srv/pystuck/__main__.py", 257, "main"),
]
START = [(LIBRARY, 1, "_bootstrap"), (LIBRARY, 2, "_bootstrap_inner"), (LIBRARY, 3, "run")]


def frame(file: str, line: int, function: str) -> Any:
    return (file, line, function, None, None, "skipped")


def thread(number: int, name: str, *calls: Any, waits: Any = None, holds: Any = ()) -> Any:
    """A thread of a report, as report/schema.c has it."""
    title = f"<Thread({name}, started {number})>"
    frames = tuple(frame(*each) for each in calls)
    return (f"thread:{number}", number, 100 + number, 0, name, "threading", False, number == 1,
            title, "ok", "S", None, True, None, frames, None, None, waits, holds)  # fmt: skip


def lock(number: int, words: str, *holders: str) -> Any:
    return (f"obj:{number}", "lock", "_thread.lock", words, holders, "known")


def wait(thing: str, kind: str = "lock") -> Any:
    return (thing, kind, None, "seen", 3)


def hold(number: int, line: int) -> Any:
    return (f"obj:{number}", (3, "bank.py", line), "seen", "with")


def process(threads: Any, objects: Any = (), gil: Any = None) -> Any:
    return 2, (2, 1.5, *[None] * 11, "server", (), None, gil, tuple(threads), (), (), objects)


MAIN = ("bank.py", 21, "<module>")
BANK = ("bank.py", 9, "transfer")
DEADLOCK = process(
    [
        thread(1, "MainThread", *RUNNER, MAIN, waits=wait("thread:2", "thread")),
        thread(2, "transfer-0", *START, BANK, waits=wait("obj:2"), holds=(hold(1, 7),)),
        thread(3, "transfer-1", *START, BANK, waits=wait("obj:1"), holds=(hold(2, 7),)),
    ],
    (lock(1, "src.lock", "thread:2"), lock(2, "dst.lock", "thread:3")),
)
TEXT = """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (bank.py:9) waits for Lock src.lock, held by transfer-0 since bank.py:7
  transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7

<Thread(MainThread, started 1)>
  File "bank.py", line 21, in <module>
  # waits for the end of thread transfer-0, which is in the deadlock above

<Thread(transfer-0, started 2)>
  File "bank.py", line 9, in transfer
  # in the deadlock above: waits for Lock dst.lock, held by transfer-1 since bank.py:7

<Thread(transfer-1, started 3)>
  File "bank.py", line 9, in transfer
  # in the deadlock above: waits for Lock src.lock, held by transfer-0 since bank.py:7

"""

#: A report with seven threads; all but the first two have the same stack.
MANY = process(
    [
        thread(1, "MainThread", ("pool.py", 3, "<module>")),
        thread(2, "odd", *START, ("pool.py", 7, "work")),
        *[
            thread(i, f"worker-{i}", *START, ("pool.py", 9, "work"), waits=wait(f"obj:{i // 7}"))
            for i in range(3, 9)
        ],
    ],
    (lock(0, "a"), lock(1, "b")),
)
MANY_TEXT = """\
<Thread(MainThread, started 1)>
  File "pool.py", line 3, in <module>

<Thread(odd, started 2)>
  File "pool.py", line 7, in work

6 threads: worker-3 ... worker-8
  File "pool.py", line 9, in work
  # 4 threads: waits for Lock a, holder not known
  # 2 threads: waits for Lock b, holder not known

"""

Ask = Callable[..., Any]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Runs pystuck with a server that answers with this report."""
    with ExitStack() as stack:

        def run(report: Any, *options: str) -> Any:
            def stacks(liar: Liar, message: Message) -> None:
                liar.give(message, report)

            server = stack.enter_context(Server(stacks=stacks))
            return pystuck(*options, *map(str, server.address))

        yield run


def test_a_deadlock_is_printed_first(ask: Ask) -> None:
    done = ask(DEADLOCK)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, "")


def test_the_plain_format_has_no_reasons(ask: Ask) -> None:
    done = ask(DEADLOCK, "--format=plain")
    assert "DEADLOCK" not in done.stdout
    assert "#" not in done.stdout
    assert done.stdout.count("in _bootstrap_inner\n") == 2
    assert done.stdout.count("in _run_code\n") == 1


def test_json_has_the_reasons(ask: Ask) -> None:
    report = json.loads(ask(DEADLOCK, "--json").stdout)
    (found,) = report["findings"]
    lines = TEXT.splitlines()
    assert [found["text"], *("  " + each for each in found["lines"])] == lines[:3]
    assert (found["kind"], found["members"], found["certainty"]) == (
        "deadlock",
        ["thread:2", "thread:3"],
        "seen",
    )
    assert ["  # " + each for each in report["threads"][0]["notes"]] == [lines[6]]


def test_many_equal_stacks_are_shown_once(ask: Ask) -> None:
    assert ask(MANY).stdout == MANY_TEXT
    full = ask(MANY, "--full").stdout
    assert full.count("in work\n") == 7
    assert full.count("in _bootstrap_inner\n") == 7
    assert full.count("  # waits for Lock a, holder not known\n") == 4
    assert ask(MANY, "--format=plain").stdout.count("in work\n") == 7


GIL = ("held", "thread:1", 100, None)


@pytest.mark.parametrize(
    ("report", "status"),
    [(MANY, 0), (DEADLOCK, 3), (process([thread(1, "main", BANK)], gil=GIL), 4)],
    ids=["nothing", "deadlock", "gil"],
)
def test_check_tells_by_its_exit_status_what_was_found(ask: Ask, report: Any, status: int) -> None:
    done = ask(report, "--check")
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout == ask(report).stdout
    assert ask(report, "--check", "--json").returncode == status


def test_check_runs_no_code(ask: Ask) -> None:
    done = ask(MANY, "--check", "-c", "1")
    assert done.returncode == 2
    assert done.stderr == "pystuck: --check cannot be combined with -c or --no-stacks\n"


def test_ten_findings_are_printed(ask: Ask) -> None:
    stuck = [
        thread(i, f"t{i}", BANK, waits=wait(f"obj:{i}"), holds=(hold(i, 7),)) for i in range(1, 13)
    ]
    objects = tuple(lock(i, "x", f"thread:{i}") for i in range(1, 13))
    done = ask(process(stuck, objects))
    assert done.stdout.count("DEADLOCK: ") == 10
    assert "\n... and 2 more findings: see --json\n\n" in done.stdout
    assert len(json.loads(ask(process(stuck, objects), "--json").stdout)["findings"]) == 12
