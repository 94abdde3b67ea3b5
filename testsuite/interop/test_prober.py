# SPDX-License-Identifier: BSD-3-Clause
"""The independent prober: our server under it, and that it notices what is wrong.

By hand it also does more rounds, see prober.py.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import figures
import prober
import prober_mutation
import prober_peer
import prober_right
import prober_wrong
import pytest
from faults import SLOW
from harness import PATIENCE, RPYC4, RPYC5, RPYC6, SANITIZED, Debuggee, Stock
from rawpeer import assert_no_leaks

MIB = 1 << 20

#: What memory may go up by without a reason.
NOISE = (64 if SANITIZED else 16) * MIB

#: Once large blocks were freed, malloc keeps much of what is freed, for each thread's arena. With
#: this it keeps little, so that what is kept is a leak.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


def probe(address: prober.Address, **options: Any) -> prober.Report:
    """Runs the prober, and counts what it tried."""
    chosen = {"address": address, "patience": PATIENCE, "rounds": 100} | options
    report = prober.Prober(prober.Options(**chosen)).run()
    figures.add("bad inputs", report.bad_inputs)
    return report


def address_of(debuggee: Debuggee) -> tuple[str, int]:
    assert debuggee.host is not None
    assert debuggee.port is not None
    return debuggee.host, debuggee.port


#: Each run sends a share of the bad input, by turns; PYSTUCK_SLOW=1 sends all of it.
SHARES = 1 if SLOW else 4

#: The share of this run.
SHARE = (int(os.environ.get("PYSTUCK_TURN") or 0) % SHARES, SHARES)

GROUPS = [*prober_right.GROUPS, *prober_wrong.GROUPS, "mutations"]


@pytest.mark.parametrize("group", GROUPS)
def test_our_server_answers_any_input_as_the_protocol_says(
    start_debuggee: Callable[..., Debuggee], group: str
) -> None:
    stuck = start_debuggee(env=MALLOC)
    holdings = stuck.holdings()
    report = probe(address_of(stuck), only=f"{group} [", rounds=100 // SHARES, share=SHARE)
    assert report.failures == []
    assert report.probes > 0
    assert (report.bad_inputs > 0) == (group not in prober_right.GROUPS)
    stuck.wait_until_back_to(holdings)
    if SANITIZED:
        assert_no_leaks(stuck)


def test_the_shares_of_the_prober_are_all_of_its_bad_input(ours: Debuggee) -> None:
    def names(*share: int) -> list[str]:
        options = prober.Options(address_of(ours), rounds=0, share=share)
        groups = prober.Prober(options).groups()
        return [f"{name} {envelope} {each.name}" for name, envelope, all in groups for each in all]

    right = prober.Prober(prober.Options(address_of(ours), right_only=True)).groups()
    count = sum(len(probes) for _, _, probes in right)
    shared = [name for share in range(4) for name in names(share, 4)[count:]]
    assert sorted(shared) == sorted(names(0, 1)[count:])
    assert len(shared) > 10_000


@pytest.mark.measures
def test_our_server_keeps_no_memory_of_what_it_was_sent(
    start_debuggee: Callable[..., Debuggee],
) -> None:
    stuck = start_debuggee(env=MALLOC)
    probe(address_of(stuck), rounds=20, only="mutations")
    rss = stuck.rss()
    report = probe(address_of(stuck), rounds=200, only="mutations")
    assert report.failures == []
    assert stuck.rss() - rss < NOISE


def test_our_server_answers_over_a_unix_socket(
    start_debuggee: Callable[..., Debuggee], socket_dir: Path
) -> None:
    path = str(socket_dir / "socket")
    start_debuggee(unix_socket=path)
    report = probe(path, right_only=True, only="handlers")
    assert (report.failures, report.probes > 40) == ([], True)


# ---- The prober itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("stock", [RPYC4, RPYC5, RPYC6], ids=str)
def test_what_stock_answers_is_not_called_wrong(
    lasting: Callable[..., Debuggee], stock: Stock
) -> None:
    report = probe(address_of(lasting(stock)), stock=True, right_only=True)
    assert (report.failures, report.probes > 40) == ([], True)


def test_what_stock_takes_without_a_look_is_noticed(lasting: Callable[..., Debuggee]) -> None:
    report = probe(address_of(lasting(RPYC6)), only="brine [6.0-]", enough=3)
    assert len(report.failures) == 3


#: What may happen to a payload on its way from the server, which has to be noticed.
LIES: dict[str, Callable[[bytes], bytes]] = {
    "a byte that is left out": lambda payload: payload[:-1],
    "a byte too many": lambda payload: payload + b"\0",
    "another number": lambda payload: payload.replace(b"\x02\x11\x53", b"\x02\x11\x54", 1),
    "an exception for an answer": lambda payload: payload.replace(b"\x02\x11", b"\x03\x11", 1),
    "another value": lambda payload: payload.replace(b"there?", b"there!", 1),
    "another name": lambda payload: payload.replace(b"builtins.list", b"builtins.lost", 1),
    "another label": lambda payload: payload.replace(b"\x11\x51", b"\x11\x55", 1),
    "another exception": lambda payload: payload.replace(b"KeyError", b"FeeError", 1),
    "another docstring": lambda payload: payload.replace(b"Adds.", b"Odds.", 1),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_answers_otherwise_is_noticed(
    lasting: Callable[..., Debuggee], monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    truth = prober_peer.Peer.next_payload

    def altered(peer: prober_peer.Peer) -> bytes | None:
        payload = truth(peer)
        return payload if payload is None else LIES[lie](payload)

    monkeypatch.setattr(prober_peer.Peer, "next_payload", altered)
    assert probe(address_of(lasting()), only="6.0-]", right_only=True, enough=1).failures


def test_a_server_that_passes_over_what_is_wrong_is_noticed(
    lasting: Callable[..., Debuggee], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = prober_peer.Peer.next_answer

    def without_refusals(peer: prober_peer.Peer) -> Any:
        message = truth(peer)
        while message is not None and message.seq == prober_wrong.SEQ:
            message = truth(peer)
        return message

    monkeypatch.setattr(prober_peer.Peer, "next_answer", without_refusals)
    for only in ("wrong types [6.0-]", "wrong counts [6.0-]", "not held [6.0-]"):
        assert probe(address_of(lasting()), only=only, enough=1).failures, only


def silent(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def hanging_up(sock: socket.socket) -> None:
    sock.recv(65536)


def echoing(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


def saying_what_it_likes(sock: socket.socket) -> None:
    while sock.recv(65536):
        sock.sendall(struct.pack(">IB", 6, 0) + b"\x02\x11\x50abc\n")


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serves each connection with a function, on a port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(function: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                function(sock)

    def start(function: Callable[[socket.socket], None]) -> int:
        threading.Thread(target=serve, args=(function,), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def by_hand(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the prober as a program."""
    return subprocess.run(
        [sys.executable, prober.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("function", [silent, hanging_up, echoing, saying_what_it_likes])
def test_a_server_that_does_not_answer_is_noticed(
    serving: Callable[[Callable[[socket.socket], None]], int],
    function: Callable[[socket.socket], None],
) -> None:
    port = serving(function)
    done = by_hand("127.0.0.1", port, "--patience", 0.1, "--enough", 2)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("2 answered wrongly\n")


def test_a_server_that_is_gone_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = by_hand("127.0.0.1", port)
    assert (done.returncode, done.stderr) == (1, "")
    assert "the server is gone" in done.stdout


def test_the_prober_run_by_hand_says_what_it_tried(stuck: Debuggee) -> None:
    done = by_hand(*address_of(stuck), "--only", "frames [6.0-]", "--seed", 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("seed 5\nframes [6.0-]: ")
    assert done.stdout.endswith(" 0 answered wrongly\n")


def test_a_round_of_mutations_can_be_played_again(stuck: Debuggee) -> None:
    sent = []
    for _ in range(2):
        with prober_peer.Peer(address_of(stuck), prober.ENVELOPES[1], PATIENCE) as peer:
            peer.ask_for_root()
            prober_mutation.probe(7, 3).run(peer)
            sent.append(len(peer.sent))
    assert sent[0] == sent[1]
