# SPDX-License-Identifier: BSD-3-Clause
"""The list of all benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import commands
import long_values
import round_trips
import scale
from measure import Measured


@dataclass
class Row:
    """One benchmark."""

    name: str  # for --only
    what: str
    reference: str  # what ours is divided by; "": ours is compared with the goal itself
    goal: str  # "<= 1.2"
    run: Callable[[], Measured]


_trip = "round trip, C client: "
_large = "import asyncio, ssl, json"
_stock = "round trip, stock client: "

ROWS = [
    Row("getattr", _trip + "getattr of an int", "raw TCP ping-pong", "<= 1.2",
        partial(round_trips.against_raw, "getattr")),
    Row("getattr-unix", _trip + "the same on a Unix socket", "raw Unix ping-pong", "<= 1.2",
        partial(round_trips.against_raw, "getattr", unix=True)),
    Row("getattr-tls", _trip + "the same over TLS", "without TLS", "<= 1.5", round_trips.tls),
    Row("call", _trip + "a call", "raw TCP ping-pong", "<= 1.5",
        partial(round_trips.against_raw, "call")),
    Row("calls-server", "system calls of a getattr: server", "", "<= 3",
        partial(round_trips.calls, "getattr", "server")),
    Row("calls-client", "system calls of a getattr: client", "", "<= 3",
        partial(round_trips.calls, "getattr", "client")),
    Row("instructions", "instructions of a getattr: server", "", "<= 5000",
        partial(round_trips.instructions, "getattr", "server")),
    Row("stock-getattr", _stock + "getattr", "stock server", "<= 0.75",
        partial(round_trips.against_stock, "getattr", 1000)),
    Row("stock-call", _stock + "call", "stock server", "<= 0.75",
        partial(round_trips.against_stock, "call", 1000)),
    Row("stock-iterate", _stock + "iteration over 2,000 items", "stock server", "<= 0.75",
        partial(round_trips.against_stock, "iterate", 1)),
    Row("above-raw", "server CPU above raw's, getattr", "stock server", "<= 0.15",
        round_trips.above_raw),
    Row("connect", "connect until modules is usable: server CPU", "stock server", "<= 0.35",
        round_trips.connect_cpu),
    Row("pipelined", "16 C clients, 32 requests under way: server CPU", "", "<= 6",
        round_trips.pipelined),
    Row("pipelined-sends", "the same: sends for a request", "", "<= 0.125",
        round_trips.pipelined_sends),
    Row("computing", "rounds of a computing thread, while a C client pings", "no client", ">= 0.97",
        round_trips.compute_meanwhile),
    Row("held", "objects held by a client: to make one", "", "<= 30", partial(round_trips.held, 0)),
    Row("given-back", "objects held by a client: to give one back", "", "<= 5",
        partial(round_trips.held, 1)),
    Row("bytes", "50 MB of random bytes to a C client", "raw copy", ">= 0.7", long_values.to_c),
    Row("bytes-stock", "50 MB of random bytes to a stock client: server CPU", "stock server",
        "<= 0.1", partial(long_values.to_stock, "bytes")),
    Row("text-stock", "50 MB of text to a stock client: server CPU", "stock server", "<= 0.2",
        partial(long_values.to_stock, "text")),
    Row("gap-bytes", "longest time without the GIL: 50 MB of bytes", "", "<= 10",
        partial(long_values.longest_gap, "bytes")),
    Row("gap-text", "longest time without the GIL: 50 MB of text", "", "<= 10",
        partial(long_values.longest_gap, "text")),
    Row("shell", "shell to printed stacks, 2 threads", "connect and ping", "<= 1.2",
        commands.against_ping),
    Row("shell-py-spy", "shell to printed stacks, 2 threads", "py-spy dump", "<= 0.4",
        partial(commands.against_py_spy, "ours", 2)),
    Row("outside", "stacks of a process without a server, 10 threads", "py-spy dump", "<= 0.3",
        partial(commands.against_py_spy, "none", 10)),
    Row("stacks", "stacks of 1,000 threads, 20 frames each", "original pystuck", "<= 0.1",
        commands.against_original),
    Row("gap-stacks", "longest time without the GIL: the same, as text", "", "<= 5",
        commands.longest_gap),
    Row("gap-stacks-json", "longest time without the GIL: the same, --json", "", "<= 5",
        partial(commands.longest_gap, "--json")),
    Row("brine-write", "brine in C: writing 13 small values", "msgpack-c", "<= 0.8",
        partial(commands.brine, "write")),
    Row("brine-read", "brine in C: reading them", "msgpack-c, zone kept", "<= 1.0",
        partial(commands.brine, "read")),
    Row("values-send", "3,000 plain values to a stock client: server CPU", "stock server",
        "<= 0.067", partial(round_trips.values_cpu, "send")),
    Row("values-take", "3,000 plain values from a stock client: server CPU", "stock server",
        "<= 0.067", partial(round_trips.values_cpu, "take")),
    Row("start-cpu", "import and run_server: CPU", "stock rpyc", "<= 0.1",
        partial(commands.start, 0, "ms CPU")),
    Row("start-memory", "import and run_server: resident", "stock rpyc", "<= 0.12",
        partial(commands.start, 1, "kB")),
    Row("start-more-cpu", "the same after asyncio, ssl, json: CPU", "stock rpyc", "<= 0.15",
        partial(commands.start, 0, "ms CPU", _large)),
    Row("start-more-memory", "the same after asyncio, ssl, json: resident", "stock rpyc",
        "<= 0.2", partial(commands.start, 1, "kB", _large)),
    Row("pid", "--pid of a process with a server", "by port", "<= 1.5", commands.by_pid),
    Row("list", "--list, with 150 more processes", "", "<= 10", commands.list_processes),
    Row("idle", "idle server: wakeups in 10 s", "", "<= 0", partial(commands.idle, False)),
    Row("idle-client", "the same with a client connected", "", "<= 0",
        partial(commands.idle, True)),
]  # fmt: skip

#: What make bench-scale runs. The goal of most: a doubling costs at most 2.5 times as much.
SCALE_ROWS = [
    Row("threads", "stacks of 1 to 1,000 threads", "", "<= 2.5", scale.threads),
    Row("clients", "1 to 64 clients at once", "", "<= 2.5", scale.clients),
    Row("sizes", "values of 10 bytes to 200 MB", "", "<= 2.5", scale.sizes),
    Row("objects", "1 to 100,000 objects held by a client", "", "<= 2.5", scale.held),
    Row("tasks", "stacks of 10 to 10,000 tasks", "", "<= 2.5", scale.tasks),
    Row("processes", "--list with 10 to 2,000 more processes", "", "<= 2.5", scale.processes),
    Row("connections", "memory between connection 1,000 and 10,000", "", "<= 100",
        scale.connections),
]  # fmt: skip
