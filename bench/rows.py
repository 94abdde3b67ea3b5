# SPDX-License-Identifier: BSD-3-Clause
"""The list of all benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import round_trips
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
_stock = "round trip, stock client: "

ROWS = [
    Row("getattr", _trip + "getattr of an int", "raw TCP ping-pong", "<= 1.2",
        partial(round_trips.against_raw, "getattr")),
    Row("getattr-unix", _trip + "the same on a Unix socket", "raw Unix ping-pong", "<= 1.2",
        partial(round_trips.against_raw, "getattr", unix=True)),
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
    Row("computing", "a computing thread while a C client pings", "nobody asking", ">= 0.97",
        round_trips.compute_meanwhile),
    Row("held", "objects held by a client: to make one", "", "<= 30", partial(round_trips.held, 0)),
    Row("given-back", "objects held by a client: to give one back", "", "<= 5",
        partial(round_trips.held, 1)),
]  # fmt: skip
