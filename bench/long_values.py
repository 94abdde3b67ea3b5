# SPDX-License-Identifier: BSD-3-Clause
"""Values of 50 MB: how fast they are sent, and how long the server keeps the GIL for it."""

from __future__ import annotations

from contextlib import ExitStack

from measure import TURNS, Measured
from programs import RawServer, Server, c_client, raw_client, stock_client
from round_trips import server_times

SIZE = 50_000_000

#: What the server executes to make the values.
MAKE = {
    "bytes": f"import os; random_bytes = os.urandom({SIZE})",
    "text": f"text = ''.join(f'{{i:08}} a line of a log\\n' for i in range({SIZE} // 26))",
}


def to_c() -> Measured:
    """Random bytes to a C client against a raw copy, in MB/s."""
    with ExitStack() as stack:
        ours = stack.enter_context(Server("ours"))
        raw = stack.enter_context(RawServer())
        ours.ask(MAKE["bytes"])
        client = stack.enter_context(c_client(ours.target, "bytes"))
        reference = stack.enter_context(raw_client(raw.target, 73, SIZE))
        runs = [
            (server_times(ours, client, 1), server_times(raw, reference, 1))
            for _ in range(TURNS + 1)
        ][1:]
    return Measured(
        [SIZE / wall for (wall, _), _ in runs],
        [SIZE / wall for _, (wall, _) in runs],
        unit="MB/s",
        server_cpu=[cpu / 1e6 for (_, cpu), _ in runs],
        reference_cpu=[cpu / 1e6 for _, (_, cpu) in runs],
    )


def to_stock(kind: str) -> Measured:
    """The server's CPU time for a value of 50 MB to a stock client, against a stock server's."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(each)) for each in ("ours", "stock")]
        for server in servers:
            server.ask(MAKE[kind])
        clients = [stack.enter_context(stock_client(each.target, kind)) for each in servers]
        runs = [
            [server_times(*each, 1) for each in zip(servers, clients)] for _ in range(TURNS + 1)
        ][1:]
    ours, stock = ([run[side] for run in runs] for side in (0, 1))
    speeds = [SIZE / sorted(wall for wall, _ in side)[TURNS // 2] for side in (ours, stock)]
    return Measured(
        [cpu / 1e3 for _, cpu in ours],
        [cpu / 1e3 for _, cpu in stock],
        unit="ms CPU",
        note=f"{speeds[0]:.0f} MB/s, stock server {speeds[1]:.0f} MB/s",
    )


def longest_gap(kind: str) -> Measured:
    """The longest time in which a thread of the program cannot run while a value is sent."""
    with Server("ours") as server, c_client(server.target, kind) as client:
        server.ask(MAKE[kind])
        gaps, quiet = [], []
        for _ in range(TURNS):
            server.ask("meter = LongestGap()")
            client.ask(1)
            gaps.append(float(server.ask("answer = meter.end()")) * 1e3)
            quiet.append(
                float(server.ask("meter = LongestGap(); time.sleep(0.1); answer = meter.end()"))
            )
    idle = sorted(quiet)[TURNS // 2] * 1e3
    return Measured(gaps, unit="ms", note=f"without requests: {idle:.1f} ms")
