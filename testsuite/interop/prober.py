# SPDX-License-Identifier: BSD-3-Clause
"""Sends a server everything in doc/protocol.md, and invalid input, over raw sockets.

    python3 prober.py HOST PORT              # or the path of a Unix socket, or @name
    python3 prober.py HOST PORT --stock      # a server of stock rpyc
    python3 prober.py HOST PORT --rounds 100000 --seed 5

The prober is written from doc/protocol.md alone. It shares no code with pystuck, rpyc or the other
tests, so it finds errors that all of these have in common. The server must run the classic service.

    prober_wire.py       brine, boxes, frames, envelopes
    prober_peer.py       a connection, and the allowed reactions to the data sent over it
    prober_right.py      valid requests and the expected answers
    prober_wrong.py      invalid frames, compression, brine and first frames; connections that end
    prober_messages.py   well-formed messages with invalid content
    prober_answers.py    invalid answers to requests of the server
    prober_mutation.py   sessions with random changes

A failure names the group, the envelope and the probe. It tells what the server did, and prints the
bytes that were sent on that connection in hexadecimal. `--only TEXT` runs the probes whose group or
name contains TEXT. A round of mutations depends only on the seed and on the number of the round:
`--rounds 1 --first-round N --seed S` repeats it. After each probe the server must accept a new
client and answer its requests. Otherwise the probe has failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import prober_answers  # noqa: F401  both modules add groups to prober_wrong.GROUPS
import prober_messages  # noqa: F401
import prober_mutation
import prober_right
import prober_wrong
from prober_peer import Address, Dead, Peer, Probe, Wrong
from prober_wire import ENVELOPES, Envelope


class Options(NamedTuple):
    """The options of the command line."""

    address: Address
    stock: bool = False
    rounds: int = 300
    seed: int = 1
    first_round: int = 0
    patience: float = 10.0
    only: str = ""
    right_only: bool = False
    enough: int = 30
    #: (i, n): of the probes with bad input, run only the i-th of n parts; i counts from 0.
    share: tuple[int, int] = (0, 1)


class Report:
    """The numbers of probes, and the failures."""

    def __init__(self) -> None:
        self.probes = self.bad_inputs = 0
        self.failures: list[str] = []
        self.is_dead = False

    def fail(self, probe: str, what: object, sent: bytes = b"") -> None:
        """Records and prints a failure."""
        shown = sent.hex() if len(sent) <= 8192 else f"{sent[:4096].hex()}... ({len(sent)} bytes)"
        self.failures.append(f"{probe}: {what}\n    sent: {shown}")
        print(f"WRONG  {self.failures[-1]}", flush=True)


class Prober:
    """Runs probes, each over a connection of its own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.report = Report()
        #: The client that connected after the last probe. The next probe uses its connection.
        self.ready: Peer | None = None

    def fresh(self, envelope: Envelope) -> Peer:
        """Connects a new client, and returns it when the server has answered its requests."""
        peer = Peer(self.options.address, envelope, self.options.patience, self.options.stock)
        try:
            peer.ask_for_root()
        except BaseException:
            peer.sock.close()
            raise
        return peer

    def spoken(self) -> list[Envelope]:
        """Returns the envelopes that the server supports.

        A server of pystuck supports all of them, a stock server those of one generation.
        """
        if not self.options.stock:
            return ENVELOPES
        found = []
        for envelope in ENVELOPES:
            try:
                self.fresh(envelope).sock.close()
            except Wrong:
                continue
            found.append(envelope)
        return found

    def run_probe(self, name: str, envelope: Envelope, probe: Probe) -> None:
        """Runs one probe, and checks that the server accepts a new client after it."""
        self.report.probes += 1
        self.report.bad_inputs += probe.is_bad
        sent = b""
        try:
            with self.ready or self.fresh(envelope) as peer:
                self.ready = None
                try:
                    probe.run(peer)
                except Wrong as wrong:
                    self.report.fail(name, wrong, peer.sent)
                sent = peer.sent
            self.ready = self.fresh(envelope)
        except Wrong as wrong:
            self.report.fail(name, f"the next client: {wrong}", sent)
        except Dead as dead:
            self.report.is_dead = True
            self.report.fail(name, f"the server does not run any more: {dead}", sent)

    def forget(self) -> None:
        """Closes the connection for the next probe, because that uses another envelope."""
        if self.ready:
            self.ready.sock.close()
        self.ready = None

    def groups(self) -> Iterator[tuple[str, Envelope, list[Probe]]]:
        """Yields all probes, by group and envelope."""
        spoken, (share, shares) = self.spoken(), self.options.share
        for envelope in spoken:
            for group, probes in prober_right.GROUPS.items():
                yield group, envelope, [Probe.of(function) for function in probes]
        if self.options.right_only:
            return
        for envelope in spoken:
            if envelope.bound and not self.options.stock:
                continue  # bound messages differ only in the prefix
            for group, make in prober_wrong.GROUPS.items():
                if group in prober_wrong.ONCE and envelope != spoken[0]:
                    continue
                yield group, envelope, list(make())[share::shares]
        for envelope in spoken:
            yield "mutations", envelope, list(self.mutations())

    def mutations(self) -> Iterator[Probe]:
        """Yields the rounds of mutations that the options select."""
        first = self.options.first_round
        for number in range(first, first + self.options.rounds):
            yield prober_mutation.probe(self.options.seed, number)

    def run(self) -> Report:
        """Runs all selected probes; stops early if the server ends or too many probes fail."""
        for group, envelope, probes in self.groups():
            title = f"{group} [{envelope}]"
            chosen = [each for each in probes if self.options.only in f"{title}: {each.name}"]
            before, start = len(self.report.failures), time.monotonic()
            for each in chosen:
                if self.report.is_dead or len(self.report.failures) >= self.options.enough:
                    break
                self.run_probe(f"{title}: {each.name}", envelope, each)
            if chosen:
                wrong, took = len(self.report.failures) - before, time.monotonic() - start
                print(f"{title}: {len(chosen)} probes, {wrong} wrong, {took:.1f} s", flush=True)
            self.forget()
            if self.report.is_dead or len(self.report.failures) >= self.options.enough:
                break
        return self.report


def parse(arguments: list[str]) -> Options:
    """Parses the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Probes a server of RPyC's classic service.")
    parser.add_argument("host", help="a host; without PORT the path of a Unix socket, or @name")
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--stock", action="store_true", help="the server is a stock rpyc server")
    parser.add_argument(
        "--rounds",
        type=int,
        default=300,
        help="rounds of mutations for each envelope",
    )
    parser.add_argument("--first-round", type=int, default=0, help="the number of the first round")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument(
        "--patience", type=float, default=10.0, help="seconds to wait for the server"
    )
    parser.add_argument("--only", default="", help="run only probes whose name has this text")
    parser.add_argument("--right-only", action="store_true", help="send only valid requests")
    parser.add_argument("--enough", type=int, default=30, help="stop after this number of failures")
    chosen = vars(parser.parse_args(arguments))
    host, port = chosen.pop("host"), chosen.pop("port")
    return Options(address=host if port is None else (host, port), **chosen)


def main() -> int:
    """Runs the prober; returns the exit status."""
    options = parse(sys.argv[1:])
    print(f"seed {options.seed}", flush=True)
    try:
        report = Prober(options).run()
    except Dead as dead:
        print(dead, file=sys.stderr)
        return 1
    counts = f"{report.probes} probes, {report.bad_inputs} of them bad input"
    print(f"{counts}, {len(report.failures)} failures")
    return 1 if report.failures or not report.probes else 0


if __name__ == "__main__":
    sys.exit(main())
