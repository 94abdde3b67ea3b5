# SPDX-License-Identifier: BSD-3-Clause
"""The number of messages about clients is limited: a client cannot fill a log.

See also test_log_limit.c, which tests what happens after minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import (
    STRANGER,
    Debuggee,
    as_user,
    command,
    debuggee_environment,
    run_python,
    tell,
    wait_until,
)
from rawpeer import connect_socket, frame, raw_connect

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: The id of a user other than the one who runs the tests.
OTHER = 65532

#: The first bytes of a TLS message.
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


class Program(Debuggee):
    """A program with one server whose logger writes to stderr."""

    def __init__(self, level: str, **options: Any) -> None:
        arguments = json.dumps([{"port": 0} | options]), json.dumps(f"logger.setLevel({level!r})")
        super().__init__(command("rights_server.py", *arguments), debuggee_environment())
        ((self.host, self.port, self.unix_socket),) = (
            place.values() for place in self.told["places"]
        )

    def logged(self) -> list[str]:
        """Returns the messages after the server was closed: then the counts are complete. close()
        does not wait for the threads that pass them to the logger."""
        assert tell(self, "servers[0].close()") is None
        wait_until(lambda: len(self.threads()) == 1, "the threads of the server to end")
        self.popen.stdin.close()
        assert (self.read_line(), self.wait()) == ("went on", 0)
        return self.stderr().splitlines()

    def wait_for(self, *lines: str) -> None:
        """Waits until the logger has this message."""
        for line in lines:
            wait_until(lambda line=line: f"{line}\n" in self.stderr(), line, details=self.stderr)


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Starts a program, with arguments of Program."""
    with contextlib.ExitStack() as stack:

        def start_it(level: str = "WARNING", **options: Any) -> Program:
            program = Program(level, **options)
            stack.callback(program.kill)
            return program

        yield start_it


Start = Callable[..., Program]


def matches(lines: list[str], *patterns: str) -> bool:
    """Returns True if each line matches one of the patterns, and each pattern one line."""
    left = list(patterns)
    for line in lines:
        found = [pattern for pattern in left if re.fullmatch(pattern, line)]
        assert found, (line, left)
        left.remove(found[0])
    return not left


def knock(program: Program, times: int) -> None:
    for _ in range(times):
        with connect_socket(program) as sock, contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""


@needs_root
def test_refusals_of_a_user_are_logged_as_one_line_and_a_count(start: Start) -> None:
    program = start()
    refused = "a client was refused: the peer belongs to uid {}"
    as_user(STRANGER, lambda: knock(program, 200))
    program.wait_for(refused.format(STRANGER))
    as_user(OTHER, lambda: knock(program, 1))
    program.wait_for(refused.format(OTHER))
    as_user(STRANGER, lambda: knock(program, 50))
    counted = refused.format(STRANGER) + r" \(249 times in \d+ s\)"
    assert matches(program.logged(), *map(refused.format, (STRANGER, OTHER)), counted)


def test_each_kind_of_client_error_is_logged_as_one_line_and_a_count(start: Start) -> None:
    program = start()

    def send(data: bytes) -> None:
        with raw_connect(program) as peer:
            peer.send(data)
            assert peer.is_closed()

    for _ in range(20):
        send(CLIENT_HELLO)
        send(frame(b"\xff"))
    first = [r"client \d+ was disconnected: .*[^)]"] * 2
    counts = [r"client \d+ was disconnected: .* \(19 times in \d+ s\)"] * 2
    assert matches(program.logged(), *first, *counts)


def test_connections_are_logged_as_20_lines_and_a_count(start: Start) -> None:
    program = start("INFO")
    before = program.descriptors()
    for _ in range(30):
        with raw_connect(program) as peer:
            assert peer.works()
    program.wait_for("client 0: connected", "client 19: connected")
    wait_until(lambda: program.stderr().count("gone") == 20, "20 lines", details=program.stderr)
    # The server logs that a client is gone, and then closes its socket. A line that comes after the
    # counts begins a new count.
    wait_until(lambda: program.descriptors().items() <= before.items(), "all clients to be gone")
    come = [rf"client {number}: connected" for number in range(20)]
    gone = [r"client \d+: gone"] * 20
    counts = [r"client \d+: (connected|gone) \(\d+ times in \d+ s\)"] * 2
    assert matches(program.logged(), *come, *gone, *counts)


#: Prints the messages about a client that a service refuses.
REFUSED = r"""
import json, logging, socket, time
import pystuck
lines = []
class Handler(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
class Service:
    def on_connect(self, connection):
        raise ValueError("one\ntwo\x1b[2J\x7f")
logger = logging.getLogger("x")
logger.addHandler(Handler())
server = pystuck.run_server(port=0, logger=logger, service_class_getter=lambda: Service)
with socket.create_connection((server.host, server.port)) as client:
    while client.recv(99):
        pass
while not lines:
    time.sleep(0.01)
print(json.dumps(lines))
"""


def test_a_message_is_one_line_without_control_characters() -> None:
    text = "client 0 was refused: ValueError: one two [2J "
    assert run_python(REFUSED) == [text]


def test_clients_that_are_known_only_by_address_are_counted(start: Start) -> None:
    program = start(insecure=True)
    for _ in range(5):
        with raw_connect(program) as peer:
            peer.send(CLIENT_HELLO)
            assert peer.is_closed()
    one = r"client \d+ was disconnected: .*[^)]"
    assert matches(program.logged(), one, r"client \d+ was disconnected: .* \(4 times in \d+ s\)")
