# SPDX-License-Identifier: BSD-3-Clause
"""Commands from start to end: the stacks of a process, --pid, --list."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measure import TURNS, Measured, cpu_seconds, take_turns
from programs import (
    ORIGINAL,
    OURS,
    STOCK,
    Program,
    Server,
    built,
    c_client,
    environment,
    msgpack,
    need,
    setting,
)


def run(argv: Sequence[object], **options: Any) -> None:
    """Runs a command to its end, without a terminal."""
    subprocess.run(
        [str(each) for each in argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
        text=True,
        **options,
    )


def wall(argv: Sequence[object], **options: Any) -> float:
    """Runs a command and returns the milliseconds that it took."""
    start = time.perf_counter()
    run(argv, **options)
    return (time.perf_counter() - start) * 1e3


def children_ms() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e3


def cpu(argv: Sequence[object], times: int = 10, **options: Any) -> float:
    """Runs a command several times and returns the CPU time that it took each time, in ms."""
    before = children_ms()
    for _ in range(times):
        run(argv, **options)
    return (children_ms() - before) / times


def pystuck(*arguments: object) -> list[object]:
    return [setting("PYSTUCK_BIN"), "--no-ipython", *arguments]


def against_ping() -> Measured:
    """From the shell to the stacks of 2 threads, against a C program that connects and pings."""
    with Server("ours") as server:
        server.ask("start_threads(1, 5)")
        return Measured(
            *take_turns(
                lambda: wall(pystuck(server.target)),
                lambda: wall([built("requests"), server.target, "connect"], input="1\n"),
                turns=3 * TURNS,
            ),
            unit="ms",
        )


def against_py_spy(kind: str, threads: int) -> Measured:
    """The stacks of a process: with a server by its port, without one from its memory."""
    py_spy = need("py-spy", "py-spy: pip install py-spy")
    with Server(kind) as server:
        server.ask(f"start_threads({threads - 1}, 5)")
        where = [server.target] if kind == "ours" else ["--pid", server.pid]
        return Measured(
            *take_turns(
                lambda: wall(pystuck(*where)),
                lambda: wall([py_spy, "dump", "--pid", server.pid]),
            ),
            unit="ms",
        )


ORIGINAL_CLIENT = "import pystuck; pystuck.main()"


def against_original() -> Measured:
    """The stacks of 1,000 threads with 20 frames each, against the original pystuck."""
    with Server("ours") as ours, Server("original") as original:
        for server in (ours, original):
            server.ask("start_threads(999, 20)")
        client = [setting("PYSTUCK_PYTHON"), "-c", ORIGINAL_CLIENT]
        client += ["--no-ipython", "--port", original.target]
        env = environment(*ORIGINAL)
        return Measured(
            *take_turns(lambda: wall(pystuck(ours.target)), lambda: wall(client, env=env)),
            unit="ms",
        )


def longest_gap(*arguments: str) -> Measured:
    """The longest time in which a thread cannot run while 1,000 stacks are collected."""
    gaps = []
    with Server("ours") as server:
        server.ask("start_threads(999, 20)")
        for _ in range(TURNS):
            server.ask("meter = LongestGap()")
            run(pystuck(*arguments, server.target))
            gaps.append(float(server.ask("answer = meter.end()")) * 1e3)
    return Measured(gaps, unit="ms")


def by_pid() -> Measured:
    """CPU time of the client with --pid against the same with the port."""
    with Server("ours") as server:
        ours, reference = take_turns(
            lambda: cpu(pystuck("--pid", server.pid)), lambda: cpu(pystuck(server.target))
        )
    return Measured(ours, reference, unit="ms CPU")


def list_processes(count: int = 150) -> Measured:
    """--list on a machine with so many more processes."""
    code = (
        f"import subprocess; children = [subprocess.Popen(['sleep', '60']) for _ in range({count})]"
    )
    with Server("ours") as server:
        server.ask(code)
        times = [wall([setting("PYSTUCK_BIN"), "--list"]) for _ in range(TURNS + 1)]
        server.ask("[each.kill() for each in children]; [each.wait() for each in children]")
    return Measured(times[1:], unit="ms")


#: Prints the CPU time of a line of Python, in ms, and by how many kB it makes the process larger.
START = """
import sys, time
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4
before = time.process_time(), resident()
exec(sys.argv[1])
print((time.process_time() - before[0]) * 1e3, resident() - before[1])
"""

START_OURS = "import pystuck; pystuck.run_server(port=0)"
START_STOCK = """
import rpyc, threading
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(rpyc.SlaveService, hostname="127.0.0.1", port=0, auto_register=False)
threading.Thread(target=server.start, daemon=True).start()
"""


def start(part: int, unit: str, before: str = "pass") -> Measured:
    """Import and run_server: CPU time (0) or resident memory (1), against stock rpyc."""

    def once(line: str, *settings: str) -> float:
        done = subprocess.run(
            [setting("PYSTUCK_PYTHON"), "-c", f"{before}\n{START}", line],
            env=environment(*settings),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return float(done.stdout.split()[part])

    return Measured(
        *take_turns(lambda: once(START_OURS, *OURS), lambda: once(START_STOCK, *STOCK)),
        unit=unit,
        exact=part == 1,  # memory does not depend on the load
    )


def brine(kind: str) -> Measured:
    """Brine in C against msgpack-c."""
    with tempfile.TemporaryDirectory() as directory:
        other = msgpack(directory)
        with Program([built("brine"), kind]) as ours, Program([other, kind]) as reference:
            return Measured(
                *take_turns(
                    lambda: ours.seconds(200_000) * 1e9, lambda: reference.seconds(200_000) * 1e9
                ),
                unit="ns",
            )


def idle(client: bool) -> Measured:
    """How often the threads of a server run in 10 s while no client sends anything."""

    def switches(pid: int) -> int:
        statuses = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/status")]
        return sum(
            int(line.split()[1])
            for status in statuses
            for line in status.splitlines()
            if line.startswith("voluntary_ctxt_switches")
        )

    with ExitStack() as stack:
        server = stack.enter_context(Server("ours"))
        if client:
            stack.enter_context(c_client(server.target, "getattr")).ask(10)
        time.sleep(1)  # what starting and connecting have left
        before = switches(server.pid), cpu_seconds(server.pid)
        time.sleep(10)
        after = switches(server.pid), cpu_seconds(server.pid)
    spent = (after[1] - before[1]) * 1e6
    return Measured(
        [after[0] - before[0]], unit="wakeups", exact=True, note=f"{spent:.0f} us of CPU time"
    )
