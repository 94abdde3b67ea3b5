# SPDX-License-Identifier: BSD-3-Clause
"""How the cost grows with the work: threads, clients, sizes, objects, tasks, processes.

A row measures several sizes. Its result is what the cost is multiplied by where the size doubles,
by the slope of a line through the costs of the upper half of the sizes, both as logarithms. 2 is
linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack

from commands import cpu, pystuck, run
from measure import Measured, cpu_seconds, quartiles
from programs import Server, c_client, setting

REPEATS = 3


def growth(costs: dict[int, float]) -> float:
    """Returns what a doubling of the size multiplies the cost by."""
    points = [(math.log2(size), math.log2(cost)) for size, cost in sorted(costs.items())]
    points = points[len(points) // 2 - 1 :]
    mean_x, mean_y = (sum(each) / len(points) for each in zip(*points))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return float(2 ** (slope / sum((x - mean_x) ** 2 for x, _ in points)))


def measured(sizes: list[int], cost: Callable[[int], float], what: str = "ms") -> Measured:
    """Measures the cost of each size: the median of some runs, in ms."""
    costs = {size: quartiles([cost(size) for _ in range(REPEATS)])[1] for size in sizes}
    series = ", ".join(f"{size:,}: {each:.3g} {what}" for size, each in costs.items())
    return Measured([growth(costs)], unit="for a doubling", note=series)


def ms_of(server: Server, work: Callable[[], object]) -> float:
    """Returns the server's CPU time for this work, in ms."""
    before = cpu_seconds(server.pid)
    work()
    return (cpu_seconds(server.pid) - before) * 1e3


def threads() -> Measured:
    """The stacks of threads with 20 frames each: the server's CPU time."""
    with Server("ours") as server:
        started = 1

        def cost(count: int) -> float:
            nonlocal started
            server.ask(f"start_threads({count - started}, 20)")
            started = count
            return ms_of(server, lambda: run(pystuck(server.target)))

        return measured([1, 10, 50, 100, 250, 500, 1000], cost)


def clients() -> Measured:
    """100 requests of each of so many clients at once: the server's CPU time."""
    with Server("ours") as server:

        def cost(count: int) -> float:
            with ExitStack() as stack:
                all_clients = [
                    stack.enter_context(c_client(server.target, "getattr")) for _ in range(count)
                ]

                def ask() -> None:
                    for client in all_clients:
                        client.start(100)
                    for client in all_clients:
                        client.finish()

                return ms_of(server, ask)

        return measured([1, 2, 4, 8, 16, 32, 64], cost)


def sizes() -> Measured:
    """Bytes to a C client: the server's CPU time for a value."""
    with Server("ours") as server, c_client(server.target, "bytes") as client:

        def cost(size: int) -> float:
            server.ask(f"import os; random_bytes = os.urandom({size})")
            count = max(1, 1_000_000 // size)
            return ms_of(server, lambda: client.ask(count)) / count

        return measured([10, 1000, 100_000, 10**6, 10**7, 5 * 10**7, 10**8, 2 * 10**8], cost)


def held() -> Measured:
    """To make objects that a client holds and to give them back: the server's CPU time."""
    with Server("ours") as server, c_client(server.target, "hold") as client:
        return measured(
            [1, 10, 100, 1000, 10_000, 30_000, 100_000],
            lambda count: ms_of(server, lambda: client.ask(count)),
        )


TASKS = """
import asyncio, logging
logging.disable()  # of tasks that are pending at the end
loop = asyncio.new_event_loop()
async def wait(event): await event.wait()
async def start(count):
    global tasks
    tasks = [loop.create_task(wait(asyncio.Event())) for _ in range(count)]
    await asyncio.sleep(0)
thread = threading.Thread(target=loop.run_forever, daemon=True)
thread.start()
"""


def tasks() -> Measured:
    """The stacks of a program with so many tasks of asyncio: the server's CPU time."""

    def cost(count: int) -> float:
        with Server("ours") as server:
            server.ask(f"exec({TASKS!r})")
            server.ask(f"asyncio.run_coroutine_threadsafe(start({count}), loop).result()")
            return ms_of(server, lambda: run(pystuck(server.target)))

    return measured([10, 100, 1000, 2500, 5000, 10_000], cost)


def processes() -> Measured:
    """--list with so many more processes: the client's CPU time."""
    with Server("ours") as server:

        def cost(count: int) -> float:
            server.ask(
                "import subprocess; "
                f"children = [subprocess.Popen(['sleep', '600']) for _ in range({count})]"
            )
            result = cpu([setting("PYSTUCK_BIN"), "--list"], times=3)
            server.ask("[each.kill() for each in children]; [each.wait() for each in children]")
            return result

        return measured([10, 100, 500, 1000, 2000], cost)


MEMORY = """
import ctypes
ctypes.CDLL(None).malloc_trim(0)
answer = int(open('/proc/self/statm').read().split()[1]) * 4
"""


def connections() -> Measured:
    """By how many kB the server grows from the 1,000th connection to the 10,000th."""
    with Server("ours") as server, c_client(server.target, "connect") as client:
        client.ask(1000)
        before = int(server.ask(f"exec({MEMORY!r})"))
        client.ask(9000)
        after = int(server.ask(f"exec({MEMORY!r})"))
    return Measured([after - before], unit="kB", exact=True)
