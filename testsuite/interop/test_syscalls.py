# SPDX-License-Identifier: BSD-3-Clause
"""What the system calls of threads are on: files, pipes, sockets, locks, children, sleeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from harness import Running, clean_environment, command, pystuck, wait_until
from test_json import SCHEMA

#: The system calls in which a thread of the program waits, by the thread's name.
CALLS = {
    "recv": ["recvfrom"],
    "accept": ["accept4", "accept"],
    "connect": ["connect"],
    "unix": ["recvfrom"],
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


@pytest.fixture(scope="module")
def waiting(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, dict[str, Any], dict[str, Any]]]:
    """A program, what its calls are on, and its threads in the output of --json."""
    folder = tmp_path_factory.mktemp("locks")
    running = Running(command("in_syscalls.py", str(folder)), clean_environment())
    try:
        expected = json.loads(running.read_line())

        def all_wait() -> dict[str, Any] | None:
            process = json.loads(pystuck("--pid", running.pid, "--json").stdout)
            return process if all(map(is_in_its_call, others(process))) else None

        process = wait_until(all_wait, "all threads to be in their system calls")
        jsonschema.validate(process, SCHEMA)
        yield running, expected, {each["name"]: each for each in others(process)}
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
def test_the_call_of_a_thread_is_explained(name: str, waiting: Any) -> None:
    _, expected, threads = waiting
    assert threads.keys() == expected.keys() == CALLS.keys()
    call = threads[name]["syscall"]
    if name in ("flock", "lockf") and "ino:" not in Path("/proc/self/fdinfo/0").read_text():
        pytest.skip("before Linux 5.14, the inode of a descriptor is not known")
    assert has(call, expected[name]), (call, expected[name])
    if call["name"] == "clock_nanosleep":
        assert 0 < call["left_ms"] <= 100_000_000
    else:
        assert call["left_ms"] is None


def test_the_text_says_what_the_calls_are_on(waiting: Any) -> None:
    running, expected, _ = waiting
    text = pystuck("--pid", running.pid, "--full").stdout
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
    assert f": waits for the end of process {locker}\n" in text
