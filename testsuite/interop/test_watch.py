# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --watch: prints the stacks again and again, and marks those that did not change."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import (
    PATIENCE,
    Running,
    c_program,
    clean_environment,
    debuggee_environment,
    pystuck,
    python,
    wait_until,
)

#: One thread waits, one calls itself again and again.
PROGRAM = """\
import threading, time
def stay():
    lock.acquire()
def move(depth=0):
    time.sleep(0.005)
    if depth < 300:
        move(depth + 1)
def mover():
    while True:
        move()
lock = threading.Lock()
lock.acquire()
threading.Thread(target=stay, daemon=True, name="stays").start()
threading.Thread(target=mover, daemon=True, name="moves").start()
print("ready", flush=True); time.sleep(1000)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The program: its PID, and the address of its server."""
    socket = tmp_path_factory.mktemp("watch") / "socket"
    address = f"unix:{socket}"
    running = Running(
        [python(), "-m", "pystuck", "-c", PROGRAM], debuggee_environment(PYSTUCK=address)
    )
    try:
        assert running.read_line() == "ready"
        wait_until(socket.exists, "the server to listen")
        wait_until(lambda: "# waits for Lock lock" in pystuck(address).stdout, "the thread to wait")
        yield running.pid, address
    finally:
        running.kill()


@contextmanager
def watching(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Runs pystuck --watch."""
    watch = subprocess.Popen(
        c_program("PYSTUCK_BIN", "--watch=0.05", *arguments),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield watch
    finally:
        watch.kill()
        watch.communicate()


def interrupt(watch: subprocess.Popen[str]) -> None:
    """Types Ctrl-C, which must end pystuck."""
    watch.send_signal(signal.SIGINT)
    assert watch.wait(PATIENCE) == -signal.SIGINT


def unchanged(report: dict[str, Any]) -> dict[str, int | None]:
    return {each["name"]: each["unchanged_ms"] for each in report["threads"]}


@pytest.mark.parametrize("how", ["server", "subprocesses"])
def test_each_round_is_a_line_of_json(program: tuple[int, str], how: str) -> None:
    pid, address = program
    arguments = [address] if how == "server" else [f"--pid={pid}", "--subprocesses"]
    with watching("--json", *arguments) as watch:
        documents = [json.loads(watch.stdout.readline()) for _ in range(4)]
        interrupt(watch)
    rounds = [
        unchanged(each["processes"][0] if "processes" in each else each) for each in documents
    ]
    assert rounds[0] == {"MainThread": None, "stays": None, "moves": None}
    times = [each["stays"] for each in rounds[1:]]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[2] > times[1]
    assert [each["moves"] for each in rounds[1:]] == [0, 0, 0]
    assert documents[0].keys() == json.loads(pystuck("--json", *arguments).stdout).keys()


def test_what_has_not_moved_is_marked() -> None:
    """The process has no server, which is said once."""
    running = Running([python(), "-c", PROGRAM], debuggee_environment())
    try:
        assert running.read_line() == "ready"
        with watching(f"--pid={running.pid}") as watch:
            lines = []
            while sum(line.startswith("<_MainThread") for line in lines) < 3:
                lines.append(watch.stdout.readline())
            interrupt(watch)
            errors = watch.stderr.read()
    finally:
        running.kill()
    titles = [line.rstrip() for line in lines if line.startswith("<")]
    main = [title.partition("(MainThread")[2] for title in titles if "MainThread" in title]
    assert re.fullmatch(r", started \d+\)>", main[0])
    assert re.search(r" \(same stack for [\d.]+ m?s\)$", main[1])
    assert re.search(r" \(same stack for [\d.]+ m?s\)$", main[2])
    assert any("(stays," in title and "same stack" in title for title in titles)
    assert not any("(moves," in title and "same stack" in title for title in titles)
    assert (
        len([line for line in lines if re.fullmatch(r"\d{4}(-\d\d){2} (\d\d:?){3}\n", line)]) == 3
    )
    assert errors.count("has no pystuck server") == 1


def test_a_deadlock_ends_the_watch_with_check() -> None:
    bank = Path(__file__).parents[2] / "examples" / "stuck" / "bank.py"
    code = f"import runpy; print('ready', flush=True); runpy.run_path({str(bank)!r})"
    running = Running([python(), "-c", code], debuggee_environment())
    try:
        assert running.read_line() == "ready"
        done = pystuck("--watch=0.05", "--check", f"--pid={running.pid}")
    finally:
        running.kill()
    assert (done.returncode, "DEADLOCK" in done.stdout) == (3, True)


def test_the_watch_ends_with_the_process() -> None:
    running = Running([python(), "-c", PROGRAM], debuggee_environment())
    try:
        assert running.read_line() == "ready"
        with watching(f"--pid={running.pid}") as watch:
            watch.stdout.readline()
            running.kill()
            assert watch.wait(PATIENCE) == 2
            said = watch.stderr.read()
            # The process may not have been waited for yet.
            ends = (
                f"there is no process {running.pid}",
                "has ended",
                "ended while its stacks were",
            )
            assert any(each in said for each in ends)
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--watch=0"], "invalid --watch '0': expected seconds > 0"),
        (["--watch=1", "-c", "1"], "--watch cannot be combined with -c, --no-stacks, --list or "),
        (["--watch=1", "--core=x"], "--watch cannot be combined with -c, --no-stacks, --list or "),
    ],
)
def test_what_cannot_be_watched_is_an_error(arguments: list[str], message: str) -> None:
    done = pystuck(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
