# SPDX-License-Identifier: BSD-3-Clause
"""Selects the tests that have their turn. The first lines of pytest's output report the selection.

Environment variables:

PYSTUCK_TEST_PART: "together" selects the tests that run beside others, "measures" those that
measure and run alone. run-interop runs one part after the other. Not set: both.

PYSTUCK_TURN: a number. Each turn selects another one of the five stock rpycs: the tests that exist
once for each stock client or server run with that one only. Each turn also selects another part of
the tests with the marker rotates(n), which need much CPU time: the cases of each such test are
divided into n parts. Without a turn, with pytest's option -k, and in a share, all of them run.
run-interop uses the number of commits.

PYSTUCK_STOCK_CLIENTS: the stock rpycs to select instead, as in rpyc4,rpyc6-bound; all: each one.

PYSTUCK_STOCK_AGAINST_STOCK: yes or no: whether to run the tests in which pystuck has no part. Not
set: they run if the hash of everything that they depend on differs from the hash in
stock_against_stock.hash, which was written when they passed.

PYSTUCK_TEST_SHARE: 2/5 selects the second of five shares of the tests, divided by their names.

PYSTUCK_COUNTS: a file, to which a line with the numbers of passed, failed and skipped tests is
appended.
"""

from __future__ import annotations

import collections
import os
import zlib
from collections.abc import Callable

import pytest
import stock_against_stock
from harness import Stock

#: The stock rpycs, in the order of the turns.
CLIENTS = ["rpyc6", "rpyc5-bound", "rpyc4", "rpyc6-bound", "rpyc5"]

#: The parameters that give a test its stock client or server.
PEERS = ("stock_clients", "server", "anywhere", "program", "generation", "stock")


def wanted_clients() -> list[str]:
    """Returns the stock rpycs of this turn."""
    names = os.environ.get("PYSTUCK_STOCK_CLIENTS")
    if names == "all":
        return CLIENTS
    if names:
        wanted = names.split(",")
        if unknown := set(wanted) - set(CLIENTS):
            raise pytest.UsageError(f"PYSTUCK_STOCK_CLIENTS: no {unknown}, but {CLIENTS} or all")
        return wanted
    turn = os.environ.get("PYSTUCK_TURN")
    return [CLIENTS[int(turn) % len(CLIENTS)]] if turn else CLIENTS


def wants_stock_against_stock() -> bool:
    """Returns True if the tests of stock against stock must run."""
    said = os.environ.get("PYSTUCK_STOCK_AGAINST_STOCK", "")
    if said not in ("", "yes", "no"):
        raise pytest.UsageError("PYSTUCK_STOCK_AGAINST_STOCK: yes or no")
    return said == "yes" if said else not stock_against_stock.is_known_to_pass()


def share() -> tuple[int, int]:
    """Returns the number of the share, and how many shares there are."""
    said = os.environ.get("PYSTUCK_TEST_SHARE") or "1/1"
    number, _, of = said.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise pytest.UsageError("PYSTUCK_TEST_SHARE: as in 2/5")
    return int(number), int(of)


def peer_of(item: pytest.Item) -> str | None:
    """Returns the stock rpyc of a test that exists once for each of them, else None."""
    callspec = getattr(item, "callspec", None)
    for name in PEERS if callspec else ():
        peer = callspec.params.get(name)
        if isinstance(peer, Stock):
            return str(peer)
        if isinstance(peer, str):  # such as "PYSTUCK_RPYC5", "rpyc6-bind-threads", "ours"
            peer = peer.lower().replace("pystuck_", "").replace("-bind-threads", "-bound")
            peer = peer.replace("-symmetric", "")
            return peer if peer in CLIENTS else None
    return None


def parts(items: list[pytest.Item]) -> dict[str, int]:
    """Returns the part of each test with the marker rotates(n), from 0 to n - 1, by its id.

    The cases of a test are dealt to the parts one by one. The first case's part depends on the
    test's name: so tests with a single case are spread over the turns.
    """
    dealt: collections.Counter[str] = collections.Counter()
    found = {}
    for item in items:
        if marker := item.get_closest_marker("rotates"):
            test = item.nodeid.partition("[")[0]
            found[item.nodeid] = (zlib.crc32(test.encode()) + dealt[test]) % marker.args[0]
            dealt[test] += 1
    return found


def rotation(items: list[pytest.Item]) -> Callable[[pytest.Item], bool]:
    """Returns the condition that a test with the marker rotates(n) has its turn."""
    turn, part_of = os.environ.get("PYSTUCK_TURN"), parts(items)
    if not turn:
        return lambda item: True

    def has_its_turn(item: pytest.Item) -> bool:
        marker = item.get_closest_marker("rotates")
        return marker is None or part_of[item.nodeid] == int(turn) % marker.args[0]

    return has_its_turn


def conditions() -> list[Callable[[pytest.Item], bool]]:
    """Returns the conditions that a test must meet to be run."""
    part = os.environ.get("PYSTUCK_TEST_PART", "")
    if part not in ("", "together", "measures"):
        raise pytest.UsageError("PYSTUCK_TEST_PART: together or measures")
    clients, (number, of) = wanted_clients(), share()
    stock_too = wants_stock_against_stock()

    def is_of_the_part(item: pytest.Item) -> bool:
        measures = item.get_closest_marker("measures") is not None
        return not part or measures == (part == "measures")

    def is_of_the_turn(item: pytest.Item) -> bool:
        if item.get_closest_marker("stock_against_stock"):
            return stock_too
        peer = peer_of(item)
        return peer is None or peer in clients

    def is_of_the_share(item: pytest.Item) -> bool:
        return zlib.crc32(item.nodeid.encode()) % of == number - 1

    return [is_of_the_part, is_of_the_turn, is_of_the_share]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Removes the tests that are not run now."""
    wanted = conditions()
    if not config.getoption("keyword") and share() == (1, 1):
        wanted.append(rotation(items))
    left_out = [item for item in items if not all(condition(item) for condition in wanted)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if all(condition(item) for condition in wanted)]


def pytest_report_header() -> list[str]:
    """Reports what is left out."""
    number, of = share()
    lines = [
        f"stock rpyc: {', '.join(wanted_clients())} (PYSTUCK_STOCK_CLIENTS=all: all five)",
        "stock against stock: "
        + (
            "tried"
            if wants_stock_against_stock()
            else "not tried, nothing has changed since it passed (PYSTUCK_STOCK_AGAINST_STOCK=yes)"
        ),
    ]
    if part := os.environ.get("PYSTUCK_TEST_PART"):
        lines.append(f"part: {part}")
    if of > 1:
        lines.append(f"share: {number} of {of}")
    return lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes the counts to the file."""
    path = os.environ.get("PYSTUCK_COUNTS")
    # the process that started this one counts them
    if not path or hasattr(terminalreporter.config, "workerinput"):
        return
    stats = {word: len(reports) for word, reports in terminalreporter.stats.items()}
    passed = stats.get("passed", 0)
    failed = stats.get("failed", 0) + stats.get("error", 0)
    skipped = stats.get("skipped", 0) + stats.get("xfailed", 0)
    with open(path, "a") as file:
        file.write(f"{passed} {failed} {skipped}\n")
