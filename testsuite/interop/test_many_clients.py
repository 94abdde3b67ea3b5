# SPDX-License-Identifier: BSD-3-Clause
"""Sixteen clients at the same time: stock rpyc, librpyc and pystuck(1), with different work.

Afterwards the program must continue, keep no resources of the clients, and have printed nothing: no
warning, and no report of a sanitizer.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cases
import pytest
from harness import (
    OBEY,
    RPYC4,
    RPYC5,
    RPYC6,
    RPYC6_BOUND,
    SANITIZED,
    Debuggee,
    Running,
    Stock,
    StockClient,
    c_program,
    clean_environment,
    differences,
    pystuck,
    tell,
    wait_until,
)
from test_librpyc import CASES as C_CASES
from test_librpyc import run_user

#: The number of rounds.
ROUNDS = int(os.environ.get("PYSTUCK_CROWD", "1"))

#: The number of cases that each client runs in a round.
CASES = 12

#: The stock clients: four processes of each. librpyc and pystuck(1) have four more.
STOCKS = [RPYC4, RPYC5, RPYC6, RPYC6_BOUND]

MODULES = tuple(name for name in StockClient.MODULES if name != "hang_cases") + ("crowd_cases",)

#: Cases that work only for a single client, and why.
ALONE = {
    "a_thread_of_the_debuggee_outlives_the_client_that_it_calls": "puts names into __main__",
    "an_object_outlives_the_client_that_shares_it": "puts a name into __main__",
    "objects_die_with_the_connection": "puts a name into __main__",
    "objects_are_of_the_same_class_on_every_connection": "puts a name into __main__",
    "a_shared_object_is_another_netref_on_every_connection": "puts a name into __main__",
    "the_debuggee_has_no_more_threads_than_before": "counts the threads",
    "stdio_is_redirected_to_the_client": "there is one stdout",
    "a_client_works_until_the_server_ends": "the server does not end",
    **dict.fromkeys(cases.ENDLESS, "does not end"),
}
if SANITIZED:
    ALONE["a_request_forks"] = "the sanitizers' own locks are not all made anew in a child"

#: Python warns of a fork while other clients are connected.
QUIET = "import warnings; warnings.simplefilter('ignore')\n"

#: Replaces the first server by another one.
RESTART = "pystuck.stop_server()\nserver = pystuck.run_server(port={port}, reuse_addr=True)"

#: Code for pystuck(1) that works until the first server is closed.
OWN_WORK = """
import __main__
print("at work")
mine = __main__.server
while __main__.server is mine: [n for n in range(1000)]
"""


@pytest.fixture
def crowded(start_debuggee: Callable[..., Debuggee]) -> Iterator[Debuggee]:
    """A program whose main thread executes what it reads, and that must end normally."""
    debuggee = start_debuggee("plain.py", arguments=(QUIET, OBEY), reuse_addr=True)
    debuggee.ended = True  # the code may print more than "went on"
    debuggee.write("\n")
    yield debuggee
    assert debuggee.popen.stdin is not None
    debuggee.popen.stdin.close()
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


@pytest.fixture(scope="module")
def crowd() -> Iterator[list[StockClient]]:
    """Twelve stock clients."""
    with contextlib.ExitStack() as started:
        clients = [StockClient(stock, MODULES) for stock in STOCKS for _ in range(3)]
        for client in clients:
            started.callback(client.kill)
        yield clients


def cases_of(stock: Stock) -> list[str]:
    """Returns the cases that a stock client can run while others use the same server."""
    names = cases.names_of(*MODULES)
    return [name for name in names if name not in ALONE and not differences(name, stock, None)]


def run_stock(client: StockClient, debuggee: Debuggee, seed: int) -> None:
    """Runs one round of a stock client."""
    names = random.Random(seed).sample(cases_of(client.stock), CASES - 5)
    names += [name for name in cases.names_of("crowd_cases") if name not in ALONE]
    random.Random(seed).shuffle(names)
    for name in names:
        client.start(name, debuggee, seed=seed)
        client.finish()


def run_c(debuggee: Debuggee, seed: int) -> None:
    """Runs one round of a C program."""
    for name in random.Random(seed).sample(C_CASES, CASES):
        assert run_user(name, "127.0.0.1", str(debuggee.port)) == f"ok {name}\n"


def run_own(debuggee: Debuggee, seed: int) -> None:
    """Runs one round of pystuck(1)."""
    where = "127.0.0.1", debuggee.port
    for _ in range(CASES // 4):
        assert "MainThread" in pystuck(*where).stdout
        done = pystuck(*where, "-c", f"print({seed} + 1)\n[n for n in range(3)]")
        assert (done.stdout, done.stderr) == (f"{seed + 1}\n[0, 1, 2]\n", "")


@pytest.mark.rotates(4)
def test_sixteen_clients_at_once_all_find_what_they_look_for(
    crowded: Debuggee, crowd: list[StockClient]
) -> None:
    before = crowded.holdings()
    for number in range(ROUNDS):
        seeds = iter(range(100 * number, 100 * number + 16))
        with ThreadPoolExecutor(16) as pool:
            rounds = [pool.submit(run_stock, client, crowded, next(seeds)) for client in crowd]
            rounds += [pool.submit(run_c, crowded, next(seeds)) for _ in range(2)]
            rounds += [pool.submit(run_own, crowded, next(seeds)) for _ in range(2)]
            while not all(each.done() for each in rounds):
                # The main thread starts and closes servers.
                assert tell(crowded, "pystuck.run_server(port=0).close()") is None
        for each in rounds:
            each.result()
    crowded.wait_until_back_to(before)


@pytest.mark.rotates(6)
def test_a_server_is_stopped_and_started_under_sixteen_clients(
    crowded: Debuggee, crowd: list[StockClient]
) -> None:
    before = crowded.holdings()
    for number in range(2 * ROUNDS):
        for seed, client in enumerate(crowd):
            client.start("a_client_works_until_the_server_ends", crowded, seed=100 * number + seed)
        where = c_program("PYSTUCK_BIN", "127.0.0.1", crowded.port, "-c", OWN_WORK)
        own = [Running(where, clean_environment()) for _ in range(4)]
        try:
            for client in crowd:
                assert client.read_line() == '"at work"'
            for client in own:
                assert client.read_line() == "at work"
            assert tell(crowded, RESTART.format(port=crowded.port)) is None
            for client in crowd:
                client.finish()
            for client in own:
                assert client.wait() != 0
        finally:
            for client in own:
                client.kill()
    wait_until(lambda: len(crowded.threads()) == len(before[1]), "threads to end")
    wait_until(lambda: len(crowded.descriptors()) == len(before[0]), "sockets to be closed")
