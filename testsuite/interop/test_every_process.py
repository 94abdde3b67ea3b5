# SPDX-License-Identifier: BSD-3-Clause
"""With PYSTUCK=1 each process that a program starts has a server at a socket of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import SANITIZED, Running, debuggee_environment, links, wait_until

# The program forks while one of its threads starts, or allocates memory.
pytestmark = pytest.mark.skipif(
    SANITIZED, reason="AddressSanitizer's locks are not made anew in a child"
)

#: Starts processes in each way. Each prints how it was started, and waits.
PROGRAM = """
import ctypes, json, multiprocessing, os, sys, time, warnings
warnings.simplefilter("ignore")

def tell(how):
    os.write(1, json.dumps([how, os.getpid()]).encode() + b"\\n")
    time.sleep(1000)

def become_a_daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            tell("daemon")
        os._exit(0)

if __name__ == "__main__":
    for how in ("fork", "spawn", "forkserver"):
        multiprocessing.get_context(how).Process(target=tell, args=(how,), daemon=True).start()
    become_a_daemon()
    if ctypes.PyDLL(None).fork() == 0:
        if os.fork() == 0:
            tell("child of C's fork")
        tell("C's fork")
    tell("main")
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for XDG_RUNTIME_DIR, whose path is short enough for sockets."""
    path = tmp_path_factory.mktemp("run")
    path.chmod(0o700)
    return path


@pytest.fixture(scope="module")
def pids(hooked: str, runtime: Path) -> Iterator[dict[str, int]]:
    """The pids of the program's processes, by the way in which they were started."""
    script = runtime / "program.py"
    script.write_text(PROGRAM)
    environment = debuggee_environment(PYSTUCK="1", XDG_RUNTIME_DIR=str(runtime))
    program = Running([hooked, str(script)], environment)
    pids: dict[str, int] = {}
    try:
        for _ in range(7):
            how, pid = json.loads(program.read_line())
            pids[how] = pid
        yield pids
        assert program.stderr() == ""
    finally:
        program.kill()
        for how in pids.keys() & {"daemon", "C's fork", "child of C's fork"}:
            with contextlib.suppress(ProcessLookupError):  # killed with the program's group
                os.kill(pids[how], signal.SIGKILL)


def connect(runtime: Path, pid: int) -> Any:
    return contextlib.closing(rpyc.classic.unix_connect(str(runtime / "pystuck" / f"{pid}.sock")))


@pytest.mark.parametrize(
    "how", ["main", "fork", "spawn", "forkserver", "daemon", "C's fork", "child of C's fork"]
)
def test_a_process_has_a_server_of_its_own(runtime: Path, pids: dict[str, int], how: str) -> None:
    with connect(runtime, pids[how]) as client:
        assert client.eval("__import__('os').getpid()") == pids[how]


def resources(pid: int) -> tuple[int, int]:
    """Returns how many sockets and threads a process has."""
    sockets = [name for name in links(pid) if name.startswith("socket:")]
    return len(sockets), len(os.listdir(f"/proc/{pid}/task"))


@pytest.mark.parametrize("how", ["fork", "daemon", "C's fork", "child of C's fork"])
def test_a_forked_process_keeps_no_descriptor_and_no_thread_of_its_parents_server(
    runtime: Path, pids: dict[str, int], how: str
) -> None:
    wait_until(
        lambda: resources(pids[how]) == resources(pids["main"]),
        "the sockets and threads to be those of one server",
    )
