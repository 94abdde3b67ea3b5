# SPDX-License-Identifier: BSD-3-Clause
"""Asks a server all that doc/protocol.md has, right and wrong, over raw sockets.

    python3 prober.py HOST PORT              # or the path of a Unix socket, or @name
    python3 prober.py HOST PORT --stock      # a server of stock rpyc
    python3 prober.py HOST PORT --rounds 100000 --seed 5

It is written from that page and not from the code, and shares nothing with rpyc or the other tests:
what they have wrong together shows here. The server has to be one of the classic service.

    prober_wire.py       brine, boxes, frames, envelopes
    prober_peer.py       a connection, and what may come of what is sent
    prober_right.py      what a client may ask, and the answers to it
    prober_wrong.py      what no client sends: frames, compression, brine, first frames, ends
    prober_messages.py   ... messages that are well-formed and wrong
    prober_answers.py    ... and such answers to the server's own requests
    prober_mutation.py   sessions with something changed at random

How to read a failure: it names the group, the envelope and the probe, says what the server did, and
has the bytes that were sent on that connection in hexadecimal. `--only TEXT` runs the probes whose
group or name has TEXT in it. A round of mutations depends on the seed and its own number alone:
`--rounds 1 --first-round N --seed S` plays it again. After each probe the server has to let a new
client in and answer it; a server that does not has failed the probe before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import prober_answers  # noqa: F401  they add their groups to those of prober_wrong
import prober_messages  # noqa: F401
import prober_mutation
import prober_right
import prober_wrong
from prober_peer import Address, Dead, Peer, Probe, Wrong
from prober_wire import ENVELOPES, Envelope


class Options(NamedTuple):
    """What is to be probed, and how."""

    address: Address
    stock: bool = False
    rounds: int = 300
    seed: int = 1
    first_round: int = 0
    patience: float = 10.0
    only: str = ""
    right_only: bool = False
    enough: int = 30
    #: The number of a share of the probes with bad input, and how many shares there are.
    share: tuple[int, int] = (0, 1)


class Report:
    """What was tried, and what went wrong."""

    def __init__(self) -> None:
        self.probes = self.bad_inputs = 0
        self.failures: list[str] = []
        self.is_dead = False

    def fail(self, probe: str, what: object, sent: bytes = b"") -> None:
        """Notes a failure."""
        shown = sent.hex() if len(sent) <= 8192 else f"{sent[:4096].hex()}... ({len(sent)} bytes)"
        self.failures.append(f"{probe}: {what}\n    sent: {shown}")
        print(f"WRONG  {self.failures[-1]}", flush=True)


class Prober:
    """Runs probes, each over a connection of its own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.report = Report()
        #: The client that was let in after the last probe: the next one is over its connection.
        self.ready: Peer | None = None

    def fresh(self, envelope: Envelope) -> Peer:
        """A new client, which has been let in and answered."""
        peer = Peer(self.options.address, envelope, self.options.patience, self.options.stock)
        try:
            peer.ask_for_root()
        except BaseException:
            peer.sock.close()
            raise
        return peer

    def spoken(self) -> list[Envelope]:
        """The envelopes that the server knows: ours all, stock's those of one generation."""
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
        """Runs one probe, and sees whether the server is well after it."""
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
            self.report.fail(name, f"a new client after it: {wrong}", sent)
        except Dead as dead:
            self.report.is_dead = True
            self.report.fail(name, f"the server is gone after it: {dead}", sent)

    def forget(self) -> None:
        """Closes the connection for the next probe: it is to be in another envelope."""
        if self.ready:
            self.ready.sock.close()
        self.ready = None

    def groups(self) -> Iterator[tuple[str, Envelope, list[Probe]]]:
        """All probes, by group and envelope."""
        spoken, (share, shares) = self.spoken(), self.options.share
        for envelope in spoken:
            for group, probes in prober_right.GROUPS.items():
                yield group, envelope, [Probe.of(function) for function in probes]
        if self.options.right_only:
            return
        for envelope in spoken:
            if envelope.bound and not self.options.stock:
                continue  # the prefix is all that differs
            for group, make in prober_wrong.GROUPS.items():
                if group in prober_wrong.ONCE and envelope != spoken[0]:
                    continue
                yield group, envelope, list(make())[share::shares]
        for envelope in spoken:
            yield "mutations", envelope, list(self.mutations())

    def mutations(self) -> Iterator[Probe]:
        """The rounds that are asked for."""
        first = self.options.first_round
        for number in range(first, first + self.options.rounds):
            yield prober_mutation.probe(self.options.seed, number)

    def run(self) -> Report:
        """Runs all probes."""
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
    """The options of a command line."""
    parser = argparse.ArgumentParser(description="Probes a server of RPyC's classic service.")
    parser.add_argument("host", help="or the path of a Unix socket, or @name, without PORT")
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--stock", action="store_true", help="the server is stock rpyc's")
    parser.add_argument("--rounds", type=int, default=300, help="of mutations, each envelope")
    parser.add_argument("--first-round", type=int, default=0, help="the number of the first one")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--patience", type=float, default=10.0, help="seconds until it is a hang")
    parser.add_argument("--only", default="", help="probes with this in their group or name")
    parser.add_argument("--right-only", action="store_true", help="nothing that no client sends")
    parser.add_argument("--enough", type=int, default=30, help="failures to stop at")
    chosen = vars(parser.parse_args(arguments))
    host, port = chosen.pop("host"), chosen.pop("port")
    return Options(address=host if port is None else (host, port), **chosen)


def main() -> int:
    """Probes, prints, and returns the exit status."""
    options = parse(sys.argv[1:])
    print(f"seed {options.seed}", flush=True)
    try:
        report = Prober(options).run()
    except Dead as dead:
        print(dead, file=sys.stderr)
        return 1
    counts = f"{report.probes} probes, {report.bad_inputs} of them bad input"
    print(f"{counts}, {len(report.failures)} answered wrongly")
    return 1 if report.failures or not report.probes else 0


if __name__ == "__main__":
    sys.exit(main())
