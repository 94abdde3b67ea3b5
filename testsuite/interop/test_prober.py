# SPDX-License-Identifier: BSD-3-Clause
"""Runs prober.py with our server and with stock servers; checks that it finds wrong answers.

prober.py can also be run from the command line, with more rounds.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
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
from rawpeer import assert_no_leaks, playing

MIB = 1 << 20

#: The number of bytes by which the memory of the debuggee may grow during a test.
NOISE = (64 if SANITIZED else 16) * MIB

#: After large blocks were freed, malloc does not return all free memory to the system. With these
#: settings it returns nearly all, so that memory that is still in use is a leak.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


def probe(address: prober.Address, **options: Any) -> prober.Report:
    """Runs the prober, and adds the number of its bad inputs to the figures of the test run."""
    chosen = {"address": address, "patience": PATIENCE, "rounds": 100} | options
    report = prober.Prober(prober.Options(**chosen)).run()
    figures.add("bad inputs", report.bad_inputs)
    return report


def address_of(debuggee: Debuggee) -> tuple[str, int]:
    assert debuggee.host is not None
    assert debuggee.port is not None
    return debuggee.host, debuggee.port


#: Each run of the tests sends a quarter of the bad input; PYSTUCK_SLOW=1 sends all of it.
SHARES = 1 if SLOW else 4

#: The part of the bad input that this run sends.
SHARE = (int(os.environ.get("PYSTUCK_TURN") or 0) % SHARES, SHARES)

GROUPS = [*prober_right.GROUPS, *prober_wrong.GROUPS, "mutations"]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.rotates(7)
def test_the_server_answers_any_input_as_the_protocol_requires(
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


@pytest.mark.rotates(4)
def test_the_shares_of_the_prober_add_up_to_all_bad_input(ours: Debuggee) -> None:
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
@pytest.mark.rotates(2)
def test_the_server_leaks_no_memory_when_it_gets_bad_input(
    start_debuggee: Callable[..., Debuggee],
) -> None:
    stuck = start_debuggee(env=MALLOC)
    probe(address_of(stuck), rounds=20, only="mutations")
    rss = stuck.rss()
    report = probe(address_of(stuck), rounds=200, only="mutations")
    assert report.failures == []
    assert stuck.rss() - rss < NOISE


def test_the_prober_can_use_a_unix_socket(
    start_debuggee: Callable[..., Debuggee], socket_dir: Path
) -> None:
    path = str(socket_dir / "socket")
    start_debuggee(unix_socket=path)
    report = probe(path, right_only=True, only="handlers")
    assert (report.failures, report.probes > 40) == ([], True)


# ---- The prober itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("stock", [RPYC4, RPYC5, RPYC6], ids=str)
@pytest.mark.rotates(4)
def test_the_prober_accepts_the_answers_of_stock_servers(
    lasting: Callable[..., Debuggee], stock: Stock
) -> None:
    report = probe(address_of(lasting(stock)), stock=True, right_only=True)
    assert (report.failures, report.probes > 40) == ([], True)


def test_invalid_brine_that_a_stock_server_accepts_is_noticed(
    lasting: Callable[..., Debuggee],
) -> None:
    report = probe(address_of(lasting(RPYC6)), only="brine [6.0-]", enough=3)
    assert len(report.failures) == 3


#: Changes to the payloads of the server. The prober has to notice each of them.
LIES: dict[str, Callable[[bytes], bytes]] = {
    "a byte that is left out": lambda payload: payload[:-1],
    "a byte too many": lambda payload: payload + b"\0",
    "another request number": lambda payload: payload.replace(b"\x02\x11\x53", b"\x02\x11\x54", 1),
    "an exception for an answer": lambda payload: payload.replace(b"\x02\x11", b"\x03\x11", 1),
    "another value": lambda payload: payload.replace(b"there?", b"there!", 1),
    "another name": lambda payload: payload.replace(b"builtins.list", b"builtins.lost", 1),
    "another label": lambda payload: payload.replace(b"\x11\x51", b"\x11\x55", 1),
    "another exception": lambda payload: payload.replace(b"KeyError", b"FeeError", 1),
    "another docstring": lambda payload: payload.replace(b"Adds.", b"Odds.", 1),
}


@pytest.mark.parametrize("lie", LIES)
def test_wrong_answers_are_noticed(
    lasting: Callable[..., Debuggee], monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    truth = prober_peer.Peer.next_payload

    def altered(peer: prober_peer.Peer) -> bytes | None:
        payload = truth(peer)
        return payload if payload is None else LIES[lie](payload)

    monkeypatch.setattr(prober_peer.Peer, "next_payload", altered)
    assert probe(address_of(lasting()), only="6.0-]", right_only=True, enough=1).failures


def test_a_server_that_ignores_invalid_requests_is_noticed(
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


def closing(sock: socket.socket) -> None:
    sock.recv(65536)


def echoing(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


def answering_nonsense(sock: socket.socket) -> None:
    while sock.recv(65536):
        sock.sendall(struct.pack(">IB", 6, 0) + b"\x02\x11\x50abc\n")


def run_prober(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs prober.py with the arguments."""
    return subprocess.run(
        [sys.executable, prober.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("function", [silent, closing, echoing, answering_nonsense])
def test_a_server_that_does_not_answer_is_noticed(
    function: Callable[[socket.socket], None],
) -> None:
    with playing(function) as port:
        done = run_prober("127.0.0.1", port, "--patience", 0.1, "--enough", 2)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith(" 2 failures\n")


def test_a_port_without_a_server_is_noticed(free_port: int) -> None:
    done = run_prober("127.0.0.1", free_port)
    assert (done.returncode, done.stderr) == (1, "")
    assert "the server does not run any more" in done.stdout


def test_the_output_of_the_prober_tells_the_number_of_failures(stuck: Debuggee) -> None:
    done = run_prober(*address_of(stuck), "--only", "frames [6.0-]", "--seed", 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("seed 5\nframes [6.0-]: ")
    assert done.stdout.endswith(" 0 failures\n")


@pytest.mark.rotates(4)
def test_a_round_of_mutations_can_be_repeated(stuck: Debuggee) -> None:
    sent = []
    for _ in range(2):
        with prober_peer.Peer(address_of(stuck), prober.ENVELOPES[1], PATIENCE) as peer:
            peer.ask_for_root()
            prober_mutation.probe(7, 3).run(peer)
            sent.append(len(peer.sent))
    assert sent[0] == sent[1]
