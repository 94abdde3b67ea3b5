# SPDX-License-Identifier: BSD-3-Clause
"""Our server with clients of stock rpyc: all of stock_cases.py and the other *_cases.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hang_cases  # noqa: F401
import helper_cases  # noqa: F401
import pytest
import stock_cases
from harness import Debuggee, StockClient, command, debuggee_environment, python, wait_until

CASES = [name for name in stock_cases.CASES if name not in stock_cases.ENDLESS]


@pytest.fixture
def stuck(lasting: Callable[[], Debuggee]) -> Debuggee:
    """One debuggee for all tests here."""
    return lasting()


@pytest.mark.parametrize("case", CASES)
def test_a_stock_client_finds_that(case: str, stock_client: StockClient, stuck: Debuggee) -> None:
    before = stuck.holdings()
    stock_client.start(case, stuck)
    stock_client.finish()
    stuck.wait_until_back_to(before)


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
    clients = [first] + [StockClient(first.setting, first.bound) for _ in range(9)]
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
    client = StockClient("PYSTUCK_RPYC6", True)
    try:
        for case in CASES:
            client.start(case, debuggee)
            client.finish()
        debuggee.end_well()
    finally:
        client.kill()
        debuggee.kill()
