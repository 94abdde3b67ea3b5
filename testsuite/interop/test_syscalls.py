# SPDX-License-Identifier: BSD-3-Clause
"""What the system calls of threads are on: files, pipes, sockets, locks, children, sleeps.

A server in the program finds out the same as the client does from outside.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from harness import Running, command, debuggee_environment, pystuck, wait_until
from test_json import SCHEMA

#: The system calls in which a thread of the program waits, by the thread's name.
CALLS = {
    "recv": ["recvfrom"],
    "accept": ["accept4", "accept"],
    "connect": ["connect"],
    "unix": ["recvfrom"],
    "open": ["openat"],
    "pipe": ["read"],
    "flock": ["flock"],
    "lockf": ["fcntl"],
    "wait": ["wait4", "waitid"],
    "poll": ["poll", "ppoll"],
    "poll several": ["poll", "ppoll"],
    "select": ["select", "pselect6"],
    "epoll": ["epoll_wait", "epoll_pwait"],
    "sleep": ["clock_nanosleep", "select", "pselect6"],
}


def is_in_its_call(thread: dict[str, Any]) -> bool:
    """True if a thread waits where it is to wait, and this was explained."""
    call = thread["syscall"]
    return (
        bool(call)
        and call["name"] in CALLS[thread["name"]]
        and (call["target"] is not None or thread["name"] in ("poll several", "sleep"))
    )


def others(process: dict[str, Any]) -> list[dict[str, Any]]:
    """All threads but the main one."""
    return [each for each in process["threads"] if each["name"] != "MainThread"]


def has_peers(threads: list[dict[str, Any]]) -> bool:
    """True if the search for other ends was completed: it has a limit, which a busy machine may
    reach."""
    (pipe,) = (each for each in threads if each["name"] == "pipe")
    return pipe["syscall"]["target"]["peer_pid"] is not None


@dataclasses.dataclass
class Waiting:
    """A program whose threads wait in system calls."""

    running: Running
    target: list[object]  #: the arguments of pystuck(1) that name the program
    expected: dict[str, Any]  #: what the calls are on, by the name of the thread
    threads: dict[str, Any]  #: the threads in the output of --json, by their names


@pytest.fixture(scope="module", params=["server", "outside"])
def waiting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Waiting]:
    folder = tmp_path_factory.mktemp("locks")
    argv = command("in_syscalls.py", str(folder), request.param)
    running = Running(argv, debuggee_environment())
    try:
        port, expected = json.loads(running.read_line())
        target = [port] if port else ["--pid", running.pid]

        def all_wait() -> dict[str, Any] | None:
            process = json.loads(pystuck(*target, "--json").stdout)
            threads = others(process)
            return process if all(map(is_in_its_call, threads)) and has_peers(threads) else None

        process = wait_until(all_wait, "all threads to be in their system calls")
        jsonschema.validate(process, SCHEMA)
        assert process["source"] == ("server" if port else "pid")
        threads = {each["name"]: each for each in others(process)}
        yield Waiting(running, target, expected, threads)
    finally:
        running.kill()


def has(found: Any, wanted: Any) -> bool:
    """True if `found` has all members that are wanted, and lists have the same length."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(has(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(has, found, wanted))
        )
    return found == wanted


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_call_of_a_thread_is_explained(name: str, waiting: Waiting) -> None:
    expected = waiting.expected
    assert waiting.threads.keys() == expected.keys() == CALLS.keys()
    assert waiting.threads[name]["state"] == "S"
    call = waiting.threads[name]["syscall"]
    if name in ("flock", "lockf") and "ino:" not in Path("/proc/self/fdinfo/0").read_text():
        pytest.skip("before Linux 5.14, the inode of a descriptor is not known")
    assert has(call, expected[name]), (call, expected[name])
    if call["name"] == "clock_nanosleep":
        assert 0 < call["left_ms"] <= 100_000_000
    else:
        assert call["left_ms"] is None


def test_the_text_says_what_the_calls_are_on(waiting: Waiting) -> None:
    expected = waiting.expected

    def text_with_peers() -> str | None:
        text = pystuck(*waiting.target, "--full", "--stacks").stdout
        return text if "has the other end" in text else None

    text = wait_until(text_with_peers, "a text with the other ends")
    recv, flock, pipe = (expected[name] for name in ("recv", "flock", "pipe"))
    tcp = recv["target"]
    assert (
        f"  # in the system call recvfrom on descriptor {recv['fd']}: TCP {tcp['local']} -> "
        f"{tcp['remote']}, ESTABLISHED, this process itself has the other end\n"
    ) in text
    locker = flock["target"]["peer_pid"]
    assert (
        f"  # in the system call flock on descriptor {flock['fd']}: file "
        f"{flock['target']['path']}, locked by process {locker}\n"
    ) in text
    assert (
        f"  # in the system call read on descriptor {pipe['fd']}: pipe, process {locker} has the "
        "other end\n"
    ) in text
    assert f"  # waits for the end of process {locker} (python" in text
    path = flock["target"]["path"]
    assert f"  # waits for the lock of file {path}, held by process {locker} (python" in text


def test_a_thread_that_computes_is_said_to_run(waiting: Waiting) -> None:
    pattern = re.compile(
        r"^  File .*, in compute\n(?:    .*\n)?  # running, (\d+) % of a core over (\d+) ms"
        r"(?:, has the GIL)?\n",
        re.MULTILINE,
    )
    waiting.running.write("\n")
    try:
        found = wait_until(
            lambda: pattern.search(pystuck(*waiting.target, "--full", "--stacks").stdout),
            "a thread to run",
        )
    finally:
        waiting.running.write("\n")
    assert int(found[1]) <= 100
    assert int(found[2]) >= 20
