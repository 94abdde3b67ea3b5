# SPDX-License-Identifier: BSD-3-Clause
"""Small requests: a round trip, and what it takes of the server."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from counts import count_calls, count_instructions
from measure import STRACE, TURNS, Measured, cpu_seconds, take_turns
from programs import (
    NotInstalledError,
    Program,
    RawServer,
    Server,
    c_client,
    raw_client,
    stock_client,
)

#: Bytes of a getattr and of its reply: sizes() measures them.
Sizes = tuple[int, int]


def sizes(kind: str) -> Sizes:
    """Returns how many bytes a request of the C client has, and its reply."""
    with tempfile.TemporaryDirectory() as directory, Server("ours") as server:
        log = Path(directory) / "strace"
        with c_client(
            server.target, kind, (*STRACE, "-e", "sendto,sendmsg,recvfrom", "-o", log)
        ) as c:
            c.ask(10)
        lines = log.read_text()
    sent = re.findall(r"send(?:to|msg)\(.* = (\d+)", lines)
    received = re.findall(r"recvfrom\(.* = (\d+)", lines)
    middle = len(sent) - 5  # one of the requests that were measured
    return int(sent[middle]), int(received[len(received) - 5])


def server_times(server: Server | RawServer, client: Program, count: int) -> tuple[float, float]:
    """Returns the wall time and the server's CPU time of a request, in microseconds."""
    before = cpu_seconds(server.pid)
    wall = client.seconds(count)
    return wall * 1e6, (cpu_seconds(server.pid) - before) / count * 1e6


def against_raw(kind: str, unix: bool = False, count: int = 4000) -> Measured:
    """The C client on our server against the same bytes without a protocol."""
    request, reply = sizes(kind)
    with ExitStack() as stack:
        paths = ["", ""]
        if unix:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            paths = [f"{directory}/ours", f"{directory}/raw"]
        ours = stack.enter_context(Server("ours", *filter(None, paths[:1])))
        raw = stack.enter_context(RawServer(*filter(None, paths[1:])))
        client = stack.enter_context(c_client(ours.target, kind))
        reference = stack.enter_context(raw_client(raw.target, request, reply))
        a, b = [], []
        for turn in range(TURNS + 3):
            pair = server_times(ours, client, count), server_times(raw, reference, count)
            if turn:
                a.append(pair[0]), b.append(pair[1])
    return Measured(
        [wall for wall, _ in a],
        [wall for wall, _ in b],
        server_cpu=[cpu / 1e6 for _, cpu in a],
        reference_cpu=[cpu / 1e6 for _, cpu in b],
        note=f"{request} and {reply} bytes",
    )


def tls(count: int = 4000) -> Measured:
    """The C client on our server over TLS, against the same without TLS."""
    if "PYSTUCK_KEYS" not in os.environ:
        raise NotInstalledError("install libssl-dev, then configure again")
    with ExitStack() as stack:
        keys = stack.enter_context(tempfile.TemporaryDirectory())
        command = [os.environ["PYSTUCK_KEYS"], keys]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        ours = stack.enter_context(Server("tls", keys))
        plain = stack.enter_context(Server("ours"))
        client = stack.enter_context(c_client(ours.target, "getattr", (), keys))
        reference = stack.enter_context(c_client(plain.target, "getattr"))
        runs = [
            (server_times(ours, client, count), server_times(plain, reference, count))
            for _ in range(TURNS + 1)
        ][1:]
    return Measured(
        [wall for (wall, _), _ in runs],
        [wall for _, (wall, _) in runs],
        server_cpu=[cpu / 1e6 for (_, cpu), _ in runs],
        reference_cpu=[cpu / 1e6 for _, (_, cpu) in runs],
    )


def against_stock(kind: str, count: int) -> Measured:
    """A stock client on our server against the same client on a stock server."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(each)) for each in ("ours", "stock")]
        clients = [stack.enter_context(stock_client(each.target, kind)) for each in servers]
        runs = []
        for turn in range(TURNS + 1):
            both = [server_times(*each, count) for each in zip(servers, clients)]
            if turn:
                runs.append(both)
    return Measured(
        [ours[0] for ours, _ in runs],
        [stock[0] for _, stock in runs],
        server_cpu=[ours[1] / 1e6 for ours, _ in runs],
        reference_cpu=[stock[1] / 1e6 for _, stock in runs],
    )


def server_only(found: Measured) -> Measured:
    """The same with the server's CPU time in the place of the wall time."""
    return Measured(
        [each * 1e6 for each in found.server_cpu],
        [each * 1e6 for each in found.reference_cpu],
        unit="us CPU",
    )


def connect_cpu() -> Measured:
    return server_only(against_stock("connect", 20))


def values_cpu(kind: str) -> Measured:
    """3,000 plain values in a tuple: the server sends them ("send"), or takes them ("take")."""
    return server_only(against_stock(kind, 20))


def above_raw() -> Measured:
    """The server's CPU time for a getattr of the C client, above that of the raw ping-pong."""
    request, reply = sizes("getattr")
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(each)) for each in ("ours", "stock")]
        raw = stack.enter_context(RawServer())
        clients = [stack.enter_context(c_client(each.target, "getattr")) for each in servers]
        reference = stack.enter_context(raw_client(raw.target, request, reply))
        runs = []
        for turn in range(TURNS + 1):
            own, stock = (server_times(*each, 3000)[1] for each in zip(servers, clients))
            floor = server_times(raw, reference, 3000)[1]
            if turn:
                runs.append((own - floor, stock - floor))
    return Measured([own for own, _ in runs], [stock for _, stock in runs], unit="us CPU")


def pipelined() -> Measured:
    """16 C clients, each with 32 requests under way: the server's CPU time for a request."""
    with Server("ours") as server, c_client(server.target, "pipeline") as client:
        runs = [server_times(server, client, 16 * 32 * 10)[1] for _ in range(TURNS + 1)]
    return Measured(runs[1:], unit="us CPU")


def pipelined_sends() -> Measured:
    """How many times the server sends for a request of pipelined()."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "strace"
        under = (*map(str, STRACE), "-e", "sendto,sendmsg", "-o", str(log))
        count = 16 * 32 * 10
        with Server("ours", under=under) as server, c_client(server.target, "pipeline") as client:
            client.ask(count)
        lines = len(log.read_text().splitlines())
    return Measured([lines / count], unit="sends", exact=True)


def held(part: int) -> Measured:
    """Objects that a client holds: to make them (0), to give them back (1). Wall time for each."""
    count = 10_000
    with Server("ours") as server, c_client(server.target, "hold") as client:
        runs = [int(client.ask(count).split()[part]) / count / 1e3 for _ in range(TURNS + 1)]
    return Measured(runs[1:])


def calls(kind: str, side: str) -> Measured:
    """System calls of one request."""
    return Measured([count_calls((kind,))[f"{kind} {side}"]], unit="calls", exact=True)


def instructions(kind: str, side: str) -> Measured:
    """Instructions of one request in our objects."""
    return Measured(
        [count_instructions((kind,))[f"{kind} {side}"]], unit="instructions", exact=True
    )


def compute_meanwhile() -> Measured:
    """How much slower a computing thread is while a C client pings at full speed."""
    start = "meter = LongestGap(); rounds = meter.rounds; time.sleep(0.5); answer = meter.rounds"
    with Server("ours") as server, c_client(server.target, "getattr") as client:
        import threading

        def busy() -> float:
            ends = threading.Event()

            def ping() -> None:
                while not ends.is_set():
                    client.ask(2000)

            thread = threading.Thread(target=ping)
            thread.start()
            rounds = float(server.ask(start + "; meter.end()"))
            ends.set()
            thread.join()
            return rounds

        def quiet() -> float:
            return float(server.ask(start + "; meter.end()"))

        ours, reference = take_turns(busy, quiet)
    return Measured(ours, reference, unit="rounds")
