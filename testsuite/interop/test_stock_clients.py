# SPDX-License-Identifier: BSD-3-Clause
"""Runs all cases of *_cases.py with stock clients, at pystuck's server and at stock servers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import cases
import pytest
from harness import (
    RPYC4,
    RPYC5,
    RPYC5_BOUND,
    RPYC6,
    RPYC6_BOUND,
    SANITIZED,
    Debuggee,
    Stock,
    StockClient,
    command,
    debuggee_environment,
    differences,
    expect_difference,
    python,
    wait_until,
)

CASES = [name for name in cases.names_of(*StockClient.MODULES) if name not in cases.ENDLESS]


@pytest.fixture
def stuck(lasting: Callable[[], Debuggee]) -> Debuggee:
    """Returns the debuggee that all tests of this module share."""
    return lasting()


#: The pairs of client and server; None is pystuck's server. The stock servers are of a version that
#: understands the client's version.
PEERS: list[tuple[Stock, Stock | None]] = [
    (RPYC4, None),
    (RPYC5, None),
    (RPYC6, None),
    (RPYC5_BOUND, None),
    (RPYC6_BOUND, None),
]
if not SANITIZED:  # a sanitizer sees nothing of pystuck in the other pairs
    PEERS += [
        (RPYC4, RPYC5),
        (RPYC5, RPYC5),
        (RPYC6, RPYC6),
        (RPYC5_BOUND, RPYC5_BOUND),
    ]


def marked(pair: tuple[Stock, Stock | None]) -> Any:
    """Returns the parameters of a pair, with a mark if its server is a stock server, too."""
    client, server = pair
    marks = [pytest.mark.stock_against_stock] if server else []
    return pytest.param(*pair, id=f"{client}-{server or 'ours'}", marks=marks)


@pytest.mark.skipif(SANITIZED, reason="not all pairs are run")
@pytest.mark.parametrize("case", CASES)
def test_each_difference_of_a_case_concerns_a_pair_that_is_run(case: str) -> None:
    tried = {each for pair in PEERS for each in differences(case, *pair)}
    assert tried == {each for each in cases.DIFFERENCES[case] if each.when}


def try_at_stock(client: StockClient, case: str, server: Callable[[], Debuggee]) -> None:
    """Runs a case with a stock client and a stock server; it must pass once in three attempts.

    This tests the case. Stock has races, in which one thread closes what another thread is about to
    use, and which end in different exceptions.
    """
    for _ in range(2):
        client.start(case, server())
        with contextlib.suppress(pytest.fail.Exception):
            client.finish()
            return
    client.start(case, server())
    client.finish()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("stock_clients", "stock_server"),
    map(marked, PEERS),
    indirect=["stock_clients"],
    scope="session",
)
def test_a_stock_client_finds_that(
    case: str,
    stock_client: StockClient,
    stock_server: Stock | None,
    lasting: Callable[..., Debuggee],
    request: pytest.FixtureRequest,
) -> None:
    expect_difference(request, case, stock_client.stock, stock_server)
    if stock_server is not None:
        try_at_stock(stock_client, case, lambda: lasting(stock_server))
        return
    server = lasting()
    before = server.holdings()
    stock_client.start(case, server)
    stock_client.finish()
    server.wait_until_back_to(before)


@pytest.mark.rotates(4)
def test_killing_a_client_during_a_request_does_not_affect_other_clients(
    stock_clients: Callable[[], StockClient],
    stuck: Debuggee,
    connect: Callable[[Debuggee], Any],
) -> None:
    bystander = connect(stuck)
    bystander.execute("x = [1]")
    mine = bystander.namespace["x"]
    before = stuck.holdings()

    victim = stock_clients()
    victim.start("wait_forever_in_a_callback", stuck)
    assert victim.read_line() == '"in the callback"'
    victim.kill()

    assert mine[0] == 1
    assert bystander.eval("1+1") == 2
    stuck.wait_until_back_to(before)
    assert connect(stuck).modules["os.path"].join("a", "b") == "a/b"


@pytest.mark.rotates(4)
def test_ten_client_processes_can_run_cases_at_once(
    stock_clients: Callable[[], StockClient], stuck: Debuggee
) -> None:
    first = stock_clients()
    clients = [first] + [StockClient(first.stock) for _ in range(9)]
    try:
        for client, name in zip(clients, CASES):
            client.start(name, stuck)
        for client in clients:
            client.finish()
    finally:
        for client in clients[1:]:
            client.kill()


STACKS = """
import sys, threading, traceback
def stacks():
    frames = sys._current_frames()
    return {t: traceback.format_stack(frames[t.ident]) for t in threading.enumerate()}
text = repr(stacks())
"""


def test_clients_do_not_change_the_stacks_of_the_program(
    stock_client: StockClient,
    start_debuggee: Callable[..., Debuggee],
    connect: Callable[[Debuggee], Any],
) -> None:
    # Not a shared program: LeakSanitizer does not find the references to frames that were read.
    stuck = start_debuggee()

    def stacks() -> str:
        observer = connect(stuck)
        observer.execute(STACKS)
        return observer.namespace["text"]

    wait_until(lambda: "could block" in stacks(), "the main thread to be stuck")
    before = stacks()
    for case in CASES[:10]:
        stock_client.start(case, stuck)
        stock_client.finish()
    assert stacks() == before


@pytest.mark.rotates(6)
def test_a_python_with_all_checks_prints_no_warning() -> None:
    """Warnings and comparisons of bytes with str are errors, and memory is checked."""
    options = ["-X", "dev", "-W", "error", "-bb"]
    argv = [python(), *options, *command("stuck.py", '{"port": 0}')[1:]]
    debuggee = Debuggee(argv, debuggee_environment())
    client = StockClient(RPYC6_BOUND)
    try:
        for case in CASES:
            if differences(case, client.stock, None):
                continue
            client.start(case, debuggee)
            client.finish()
        debuggee.end_well()
    finally:
        client.kill()
        debuggee.kill()
