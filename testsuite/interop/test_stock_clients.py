# SPDX-License-Identifier: BSD-3-Clause
"""Clients of stock rpyc at our server and at stock's: all cases of *_cases.py."""

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
    """One debuggee for all tests here."""
    return lasting()


#: Which client is tried at which server; None is ours. Of stock's own, only neighbours in age
#: understand each other.
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


@pytest.mark.skipif(SANITIZED, reason="not all pairs are tried")
@pytest.mark.parametrize("case", CASES)
def test_a_case_says_no_more_than_is_tried_of_where_it_does_not_hold(case: str) -> None:
    tried = {each for pair in PEERS for each in differences(case, *pair)}
    assert tried == {each for each in cases.DIFFERENCES[case] if each.when}


def try_at_stock(client: StockClient, case: str, server: Callable[[], Debuggee]) -> None:
    """Tries a case where both sides are stock's: it holds if it does so once in three times.

    It is the case that is tried there. Stock has races, in which one of its threads closes what
    another one is about to use, and what comes of that is some exception or other.
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


def test_a_client_that_is_killed_within_a_request_hurts_nobody_else(
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


def test_ten_client_processes_at_once_all_find_what_they_look_for(
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


def test_the_program_is_as_stuck_as_before(
    stock_client: StockClient,
    start_debuggee: Callable[..., Debuggee],
    connect: Callable[[Debuggee], Any],
) -> None:
    # One of its own: frames that were looked at are held from where LeakSanitizer does not look.
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


def test_nothing_is_printed_where_python_looks_closely() -> None:
    """Warnings are errors, bytes are not compared with str, memory is checked."""
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
