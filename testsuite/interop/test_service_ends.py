# SPDX-License-Identifier: BSD-3-Clause
"""A client may disconnect at any moment: its service ends in order, once, and nothing is left."""

from __future__ import annotations

import json
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    build_setting,
    command,
    debuggee_environment,
    stock_environment,
    wait_until,
)
from rawpeer import Handler, RawPeer, box, pass_object, raw_connect

Start = Callable[..., Debuggee]

#: The events of a service from its beginning to its end.
WHOLE = [
    "authenticator",
    "authenticator ends",
    "__init__",
    "__init__ ends",
    "on_connect",
    "on_connect ends",
    "on_disconnect",
    "on_disconnect ends",
]

#: The moments before the first message of a client.
EARLY = ["authenticator", "__init__", "on_connect", "a question in on_connect"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Debuggee] = []

    def start_it(kind: str = "ours", **wanted: Any) -> Debuggee:
        setting = "PYSTUCK_RPYC" + rpyc.__version__[0]
        env = stock_environment(setting)
        if kind == "ours":
            mine = debuggee_environment()
            env = mine | {"PYTHONPATH": mine["PYTHONPATH"] + ":" + build_setting(setting)}
        argv = command("service_moments.py", kind, json.dumps(wanted))
        started.append(Debuggee(argv, env))
        return started[-1]

    try:
        yield start_it
        for debuggee in started:
            debuggee.popen.stdin.close()
            assert debuggee.wait() == 0
            assert debuggee.stderr() == ""
    finally:
        for debuggee in started:
            debuggee.kill()


def told(debuggee: Debuggee) -> tuple[list[str], int]:
    """Returns the events, and how many of the created objects are alive."""
    debuggee.write("tell\n")
    events, alive = json.loads(debuggee.read_line())
    return events, alive


def assert_ends(debuggee: Debuggee, before: Any, expected: list[str], alive: int = 0) -> None:
    """Waits for these events, and until the objects, threads and descriptors are gone."""
    wait_until(
        lambda: told(debuggee) == (expected, alive),
        "the service to end",
        details=lambda: str(told(debuggee)),
    )
    debuggee.wait_until_back_to(before)
    assert told(debuggee) == (expected, alive)


def hang_up(peer: RawPeer, how: str) -> None:
    if how == "reset":
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("moment", EARLY)
@pytest.mark.rotates(3)
def test_a_client_that_goes_before_it_has_said_anything(
    moment: str, how: str, start: Start
) -> None:
    debuggee = start(moment=moment)
    before = debuggee.holdings()
    peer = raw_connect(debuggee)
    assert debuggee.read_line() == moment
    hang_up(peer, how)
    debuggee.write("go\n")
    assert_ends(debuggee, before, WHOLE)


@pytest.mark.parametrize("moment", EARLY[:3])
def test_events_are_those_of_a_stock_server(moment: str, start: Start) -> None:
    debuggee = start("stock", moment=moment)
    before = debuggee.holdings()
    peer = raw_connect(debuggee)
    assert debuggee.read_line() == moment
    hang_up(peer, "close")
    debuggee.write("go\n")
    assert_ends(debuggee, before, WHOLE)


@pytest.mark.parametrize("moment", EARLY[:3])
def test_nothing_is_ended_while_it_is_begun(moment: str, start: Start) -> None:
    """If a client disconnects while a request runs, another thread ends its service. It must not do
    so while the service is still being created."""
    debuggee = start(moment=moment, run={"max_clients": 20})
    before = debuggee.holdings()
    clients = [raw_connect(debuggee) for _ in range(20)]
    for _ in clients:
        assert debuggee.read_line() == moment
    for peer in clients:
        peer.sock.close()

    def is_let_in() -> bool:
        with raw_connect(debuggee) as other:
            return not select.select([other.sock], [], [], 0.05)[0]

    wait_until(is_let_in, "the listener to see the others go")
    assert debuggee.read_line() == moment
    assert "pystuck-reap" not in debuggee.thread_names()
    events, _ = told(debuggee)
    assert set(events) == set(WHOLE[: WHOLE.index(moment) + 1])
    debuggee.write("go\n")
    wait_until(lambda: told(debuggee)[1] == 0, "their objects to be gone")
    debuggee.wait_until_back_to(before)
    events, _ = told(debuggee)
    assert len({events.count(event) for event in WHOLE}) == 1


@pytest.mark.parametrize("kind", ["stock", "ours"])
@pytest.mark.parametrize("where", ["authenticator", "__init__", "on_connect", "on_disconnect"])
@pytest.mark.rotates(3)
def test_what_raises_ends_what_was_begun(where: str, kind: str, start: Start) -> None:
    debuggee = start(kind, raises=where)
    before = debuggee.holdings()
    with raw_connect(debuggee) as peer:
        assert peer.works() == (where == "on_disconnect")
    expected = WHOLE[: WHOLE.index(where) + 1]
    if where == "on_connect":
        expected += WHOLE[-2:]
    if kind == "ours":
        assert_ends(debuggee, before, expected)
    else:
        wait_until(lambda: told(debuggee)[0] == expected, str(expected))
        debuggee.stderr = lambda: ""  # its thread ends with a traceback


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("moment", ["request", "nested request", "a callback"])
@pytest.mark.rotates(3)
def test_a_client_that_goes_in_the_middle_of_a_request(moment: str, how: str, start: Start) -> None:
    debuggee = start(moment=moment)
    before = debuggee.holdings()
    peer = raw_connect(debuggee)
    name = "work" if moment == "request" else "call"
    method = peer.value(Handler.GETATTR, peer.root(), name)
    if moment == "request":
        peer.send(peer.request_frame(Handler.CALL, box((method, (), ()))))
    else:
        pass_object(peer, method, "__call__")
    if moment == "a callback":
        assert peer.receive() is not None
    else:
        assert debuggee.read_line() == moment
    hang_up(peer, how)
    debuggee.write("go\n")
    wait_until(lambda: told(debuggee)[1] == 0, "its objects to be gone")
    debuggee.wait_until_back_to(before)
    events, _ = told(debuggee)
    assert events[:6] + events[-2:] == WHOLE
    assert events.count("on_disconnect") == 1


def test_a_service_whose_request_does_not_end_is_told_of_the_end_of_its_client(
    start: Start,
) -> None:
    debuggee = start(moment="request")
    before = debuggee.holdings()
    with raw_connect(debuggee) as peer:
        method = peer.value(Handler.GETATTR, peer.root(), "work")
        peer.send(peer.request_frame(Handler.CALL, box((method, (), ()))))
        assert debuggee.read_line() == "request"
    middle = [*WHOLE[:6], "request", *WHOLE[6:]]
    wait_until(lambda: told(debuggee)[0] == middle, "on_disconnect")
    debuggee.write("go\n")
    assert_ends(debuggee, before, [*middle, "request ends"])


@pytest.mark.parametrize("moment", [*EARLY, "request", "on_disconnect", "idle"])
def test_a_server_that_is_closed_ends_what_was_begun(moment: str, start: Start) -> None:
    debuggee = start(moment=moment)
    peer = raw_connect(debuggee)
    if moment in ("request", "on_disconnect", "idle"):
        method = peer.value(Handler.GETATTR, peer.root(), "work")
        peer.send(peer.request_frame(Handler.CALL, box((method, (), ()))))
    if moment == "on_disconnect":
        assert peer.answer() is not None
        peer.half_close()
    if moment == "idle":
        assert peer.answer() is not None
    else:
        assert debuggee.read_line() == moment
    debuggee.write("close\n")
    assert peer.is_closed()
    debuggee.write("go\n")
    wait_until(lambda: told(debuggee)[1] == 0, "its objects to be gone")
    wait_until(lambda: len(debuggee.threads()) == 1, "the threads to end")
    events, _ = told(debuggee)
    assert [event for event in events if not event.startswith("request")] == WHOLE
    assert not any("socket:" in text for text in debuggee.descriptors().values())
    peer.sock.close()


def test_a_service_that_is_an_instance_is_told_of_each_client(start: Start) -> None:
    debuggee = start(instance=True, moment="on_connect")
    before = debuggee.holdings()
    peer = raw_connect(debuggee)
    assert debuggee.read_line() == "on_connect"
    peer.sock.close()
    debuggee.write("go\n")
    made = ["__init__", "__init__ ends"]
    one = [event for event in WHOLE if event not in made]
    wait_until(lambda: told(debuggee)[0] == made + one, "the end of the one")
    with raw_connect(debuggee) as peer:
        assert debuggee.read_line() == "on_connect"
        assert peer.works()
    wait_until(lambda: told(debuggee)[0] == made + one + one, "the end of the other")
    # The service keeps the last connection.
    assert_ends(debuggee, before, made + one + one, alive=3)


@pytest.mark.parametrize("moment", [*EARLY, "request"])
def test_a_fork_in_the_middle_leaves_it_to_the_parent(moment: str, start: Start) -> None:
    debuggee = start(moment=moment)
    before = debuggee.holdings()
    peer = raw_connect(debuggee)
    if moment == "request":
        method = peer.value(Handler.GETATTR, peer.root(), "work")
        peer.send(peer.request_frame(Handler.CALL, box((method, (), ()))))
    assert debuggee.read_line() == moment
    debuggee.write("fork\n")
    assert debuggee.read_line() == "0"
    peer.sock.close()
    debuggee.write("go\n")
    wait_until(lambda: told(debuggee)[1] == 0, "its objects to be gone")
    debuggee.wait_until_back_to(before)
    events, _ = told(debuggee)
    assert [event for event in events if not event.startswith("request")] == WHOLE


@pytest.mark.parametrize("where", ["authenticator", "__init__", "on_connect", "on_disconnect"])
def test_a_service_that_forks_goes_on_in_the_parent_alone(where: str, start: Start) -> None:
    debuggee = start(forks=where)
    before = debuggee.holdings()
    with raw_connect(debuggee) as peer:
        assert peer.works()
    expected = list(WHOLE)
    expected.insert(expected.index(where) + 1, "child 0")
    assert_ends(debuggee, before, expected)


def test_clients_whose_service_takes_long_to_end_are_counted(start: Start) -> None:
    debuggee = start(moment="on_disconnect", run={"max_clients": 3})
    before = debuggee.holdings()
    for _ in range(6):
        with raw_connect(debuggee) as peer:
            assert peer.works()
        assert debuggee.read_line() == "on_disconnect"
    with raw_connect(debuggee) as peer:
        assert peer.is_closed()
    debuggee.write("go\n")
    wait_until(lambda: told(debuggee)[1] == 0, "all to end")
    debuggee.wait_until_back_to(before)
