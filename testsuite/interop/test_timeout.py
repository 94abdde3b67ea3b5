# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --timeout."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import (
    PATIENCE,
    RPYC5,
    RPYC6,
    Debuggee,
    Stock,
    c_program,
    clean_environment,
    pystuck,
    wait_until,
)
from test_prompt import Prompt

#: The tests hold frames of the program: the fixture `lasting` does not check it for leaks then.
LOOKS_AT_FRAMES = True

#: Longer than any answer takes, in seconds, and short enough for a test.
SOON = "0.7" if PATIENCE == 10 else "4"


@pytest.fixture(params=[None, RPYC5, RPYC6], ids=lambda stock: str(stock or "ours"))
def server(request: pytest.FixtureRequest, lasting: Callable[..., Debuggee]) -> Debuggee:
    """A stuck program with a server of each kind, shared by the tests."""
    stock: Stock | None = request.param
    return lasting(stock)


@pytest.mark.parametrize("seconds", ["", "0", "0.0", "-1", "x", "1s", "1e3", "inf", "nan", "1.2.3"])
def test_what_is_no_timeout_is_a_usage_error(seconds: str) -> None:
    done = pystuck(f"--timeout={seconds}", "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"pystuck: invalid timeout '{seconds}': expected seconds > 0\n"


@pytest.mark.parametrize("seconds", ["40", "40.5", "040.", "99999999999999999999"])
def test_what_is_answered_in_time_is_as_ever(server: Debuggee, seconds: str) -> None:
    done = pystuck(f"--timeout={seconds}", "--stacks", "-c", "6 * 7", server.host, server.port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "MainThread" in done.stdout
    assert done.stdout.endswith("\n42\n")


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = pystuck("--timeout=0.1", "127.0.0.1", silent.getsockname()[1])
    assert done.returncode == 1
    assert "no answer in time" in done.stderr.splitlines()[0]


def test_a_cell_that_takes_longer_is_interrupted(server: Debuggee) -> None:
    code = "while True: pass"
    for given, stdin in ((["-c", code], ""), ([], code)):
        done = pystuck(f"--timeout={SOON}", *given, server.host, server.port, stdin=stdin)
        assert (done.returncode, done.stdout) == (1, "")
        *traceback, last = done.stderr.splitlines()
        assert traceback[0] == "Traceback (most recent call last):"
        assert traceback[-1] == "KeyboardInterrupt"
        assert last == f"pystuck: no answer within {SOON} s"


def test_later_cells_do_not_run_then(server: Debuggee) -> None:
    # By a call: a loop in the try itself may be left by CPython 3.11 without its except.
    code = (
        "def spin():\n    while True: pass\n"
        "try:\n    spin()\nexcept KeyboardInterrupt: print('caught')"
    )
    where = server.host, server.port
    done = pystuck(f"--timeout={SOON}", "-c", code, "-c", "print('more')", *where)
    assert (done.returncode, done.stdout) == (1, "caught\n")
    assert done.stderr == f"pystuck: no answer within {SOON} s\n"


def test_each_cell_has_its_own_time(server: Debuggee) -> None:
    cell = ["-c", f"import time; time.sleep({SOON} / 2)"]
    done = pystuck(f"--timeout={SOON}", *cell, *cell, *cell, server.host, server.port)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_cell_that_cannot_be_interrupted_is_given_up(stuck: Debuggee) -> None:
    code = "import threading; threading.event = e = threading.Event(); e.wait()"
    done = pystuck(f"--timeout={SOON}", "-c", code, stuck.host, stuck.port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"pystuck: no answer within {SOON} s\n"
    pystuck("-c", "import threading; threading.event.set()", stuck.host, stuck.port)


def test_a_cell_that_waits_for_input(stuck: Debuggee) -> None:
    reader, writer = os.pipe()
    argv = c_program("PYSTUCK_BIN", f"--timeout={SOON}", "-c", "input()")
    done = subprocess.run(
        [*argv, str(stuck.host), str(stuck.port)],
        stdin=reader,
        capture_output=True,
        env=clean_environment(),
        timeout=PATIENCE,
        check=False,
    )
    os.close(reader)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr.endswith(f"KeyboardInterrupt\npystuck: no answer within {SOON} s\n".encode())


def test_a_program_that_is_stopped(stuck: Debuggee) -> None:
    """The program does not answer, but the kernel accepts the connection."""
    os.kill(stuck.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: stuck.status("State").startswith("T"), "it to stop")
        done = pystuck(f"--timeout={SOON}", stuck.host, stuck.port)
    finally:
        os.kill(stuck.pid, signal.SIGCONT)
    assert done.returncode == 0  # the stacks were read from outside
    assert " is stopped: continue it with 'kill -CONT " in done.stderr


def test_a_collection_that_does_not_end(stuck: Debuggee) -> None:
    """The stacks come without Python, and later clients are served."""
    code = (
        "import pystuck._stacks as s, threading\n"
        "threading.event = threading.Event()\n"
        "s.threads = lambda *arguments: threading.event.wait()\n"
    )
    where = stuck.host, stuck.port
    pystuck("-c", code, *where)
    done = pystuck("--no-repl", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert "MainThread" in done.stdout
    pystuck("-c", "import threading; threading.event.set()", *where)


def test_a_cell_at_the_prompt_may_take_longer(stuck: Debuggee, tmp_path: Path) -> None:
    prompt = Prompt([f"--timeout={SOON}", stuck.host, stuck.port], tmp_path)
    assert prompt.cell(f"import time; time.sleep(2 * {SOON}); 5") == "Out[0]: 5\n\n"
    assert prompt.leave() == 0
