# SPDX-License-Identifier: BSD-3-Clause
"""The programs of examples/stuck: pystuck(1) names the reason, the lock, its holder and the line.

A program whose name ends with _twin looks like a deadlock and is none, or its holder is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Running, debuggee_environment, pystuck, python, wait_until

PROGRAMS = Path(__file__).parents[2] / "examples" / "stuck"

#: Lines of the output, for each program.
REASONS = {
    "bank.py": """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (bank.py:9) waits for Lock dst.lock, held by transfer-0 since bank.py:7
  transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7
  # waits for the end of thread transfer-0, which is in the deadlock above
  # in the deadlock above: waits for Lock dst.lock, held by transfer-0 since bank.py:7
""",
    "own_lock.py": """\
DEADLOCK: MainThread waits for a Lock that it holds itself
  MainThread (own_lock.py:14) waits for Lock self._lock, held by itself since own_lock.py:19
""",
    "join_in_lock.py": """\
DEADLOCK: worker -> MainThread -> worker
  worker (join_in_lock.py:9) waits for RLock lock, held by MainThread since join_in_lock.py:14
  MainThread (join_in_lock.py:16) waits for the end of thread worker
""",
    "philosophers.py": """\
DEADLOCK: philosopher-4 -> philosopher-0 -> philosopher-1 -> philosopher-2 -> philosopher-3 \
-> philosopher-4
  philosopher-2 (philosophers.py:11) waits for Lock right, held by philosopher-3 since \
philosophers.py:9
the program exits and waits for threads that are not daemons: philosopher-0, philosopher-1, \
philosopher-2, philosopher-3 and philosopher-4
5 threads: philosopher-0 ... philosopher-4
""",
    "blocked_loop.py": """\
the asyncio loop of MainThread is blocked by a synchronous call: main (blocked_loop.py:19), \
waits for Lock lock, apparently held by holder since blocked_loop.py:10
""",
    "ended_holder.py": """\
  MainThread (ended_holder.py:9) waits for it
""",
    "work.py": """\
  # waits for Lock lock, apparently held by worker since work.py:10, now in work (work.py:12)
""",
    "workers.py": """\
  # waits until all items of Queue jobs are done
19 threads: worker-1 ... worker-19
  # waits for an item in Queue jobs
""",
    "timeout_twin.py": """\
  # waits for Lock a, apparently held by patient since timeout_twin.py:9, which waits for Lock b
  # waits for Lock b, apparently held by MainThread since timeout_twin.py:16, which waits for \
Lock a; the wait has a timeout
""",
    "signal_twin.py": """\
  # waits for Lock lock, apparently held by waiter since signal_twin.py:9, which waits for \
Lock other
  # waits for Lock other, holder not known
""",
    "condition_twin.py": """\
  # waits for a notification of Condition cond
""",
    "released_twin.py": """\
  # waits for Lock lock, apparently held by second since released_twin.py:18, now in second \
(released_twin.py:20)
""",
    "two_claims_twin.py": """\
  # waits for Lock lock, held by one of first and second
""",
    "semaphore_twin.py": """\
  # waits for Lock lock, apparently held by MainThread since semaphore_twin.py:16, which waits \
for Semaphore slots
""",
}
#: Parts of lines that must not be in the output.
WRONG = {"condition_twin.py": "held by sleeper", "work.py": "DEADLOCK", "workers.py": "DEADLOCK"}


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a server in a program of examples/stuck."""
    socket = tmp_path / "socket"
    address = f"unix:{socket}"
    argv = [python(), "-m", "pystuck", str(PROGRAMS / request.param)]
    running = Running(argv, debuggee_environment(PYSTUCK=address))
    try:
        wait_until(socket.exists, "the server to listen")
        yield address
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("program", "name"), [(each, each) for each in REASONS], ids=list(REASONS), indirect=["program"]
)
def test_the_reason_is_named(program: str, name: str) -> None:
    wanted = REASONS[name].splitlines()
    status, output = 0, ""

    def is_there() -> bool:
        nonlocal status, output
        done = pystuck("--check", program)
        status, output = done.returncode, done.stdout
        return set(wanted) <= set(output.splitlines())

    wait_until(is_there, f"the lines {wanted}", details=lambda: output)
    lines = output.splitlines()
    assert [line for line in lines if line in wanted][: len(wanted)] == wanted
    assert WRONG.get(name, "DEADLOCK" if "twin" in name else "#!") not in output
    if name == "ended_holder.py":
        assert lines[0].startswith("ABANDONED: RLock lock, held by thread ")
    if wanted[0].startswith("DEADLOCK"):
        assert lines[0] == wanted[0]
    assert status == (3 if lines[0].startswith(("DEADLOCK", "ABANDONED")) else 0)


def test_the_readme_shows_the_deadlock() -> None:
    lines = [line.strip() for line in (PROGRAMS.parents[1] / "README.md").read_text().splitlines()]
    assert set(map(str.strip, REASONS["bank.py"].splitlines()[:3])) <= set(lines)


def test_each_program_has_a_reason() -> None:
    assert {each.name for each in PROGRAMS.glob("*.py")} == set(REASONS)
