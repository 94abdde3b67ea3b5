# SPDX-License-Identifier: BSD-3-Clause
"""rpyc over rpyc: a stock client uses a server, which is itself a stock client of another server.

The middle server and the far server are each pystuck's or stock's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cases
import pytest
from harness import (
    RPYC5,
    RPYC6,
    SANITIZED,
    Debuggee,
    Stock,
    StockClient,
    expect_difference,
    start_stuck,
)

#: The rpyc of the client, of the middle server and of the far server; None: pystuck.
CHAINS: list[tuple[Stock, Stock | None, Stock | None]] = [
    (RPYC5, None, None),
    (RPYC6, None, None),
    (RPYC5, None, RPYC5),
    (RPYC6, None, RPYC6),
]
if not SANITIZED:
    CHAINS += [
        (RPYC5, RPYC5, RPYC5),
        (RPYC6, RPYC6, RPYC6),
        (RPYC6, RPYC6, None),
    ]


def chain_id(chain: tuple[Any, ...]) -> str:
    """Returns the name of a chain for pytest."""
    return "-".join(str(each or "ours") for each in chain)


def marked(chain: tuple[Stock, Stock | None, Stock | None]) -> Any:
    """Returns a parameter, marked if pystuck has no part in it."""
    marks = [] if None in chain else [pytest.mark.stock_against_stock]
    return pytest.param(chain, id=chain_id(chain), marks=marks)


@pytest.fixture(scope="module", params=map(marked, CHAINS))
def chain(request: pytest.FixtureRequest) -> Iterator[tuple[StockClient, Debuggee, Debuggee]]:
    """A client and two programs. A program with pystuck's server must end normally."""
    client_kind, middle_kind, far_kind = request.param
    rpyc = f"PYSTUCK_{client_kind.generation.upper()}"
    far = start_stuck(far_kind, rpyc)
    middle = start_stuck(middle_kind, rpyc)
    client = StockClient(client_kind, ("far_cases",))
    try:
        yield client, middle, far
        client.kill()
        for debuggee, kind in ((middle, middle_kind), (far, far_kind)):
            if kind is None:
                debuggee.end_well()
    finally:
        for process in (client, middle, far):
            process.kill()


@pytest.mark.parametrize("case", cases.names_of("far_cases"))
@pytest.mark.rotates(4)
def test_a_stock_client_finds_at_the_end_of_a_chain_that(
    case: str,
    chain: tuple[StockClient, Debuggee, Debuggee],
    request: pytest.FixtureRequest,
) -> None:
    client, middle, far = chain
    expect_difference(request, case, *request.node.callspec.params["chain"][:2])
    client.start(case, middle, far=far.address)
    client.finish()
