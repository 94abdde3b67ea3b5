# SPDX-License-Identifier: BSD-3-Clause
"""Arrays between stock clients and a program with numpy: with pystuck's server and with stock's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import cases
import pytest
from harness import RPYC4, RPYC5, RPYC6, SANITIZED, Debuggee, StockClient, start_stuck

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PYSTUCK_NUMPY"), reason="no numpy for this Python"),
    pytest.mark.skipif(SANITIZED, reason="numpy is not built with the sanitizers"),
]

NUMPY = "PYSTUCK_NUMPY"

PEERS = [(RPYC4, None), (RPYC5, None), (RPYC6, None), (RPYC5, RPYC5), (RPYC6, RPYC6)]


@pytest.fixture(
    scope="module",
    params=PEERS,
    ids=[f"{client}-{server or 'ours'}" for client, server in PEERS],
)
def peers(request: pytest.FixtureRequest) -> Iterator[tuple[StockClient, Debuggee]]:
    """A client and a program, both with numpy. With pystuck's server it must end normally."""
    client_kind, server_kind = request.param
    server = start_stuck(server_kind, NUMPY)
    client = StockClient(client_kind, ("numpy_cases",), (NUMPY,))
    try:
        yield client, server
        if server_kind is None:
            server.end_well()
    finally:
        client.kill()
        server.kill()


@pytest.mark.parametrize("case", cases.names_of("numpy_cases"))
@pytest.mark.rotates(5)
def test_a_stock_client_with_numpy_finds_that(
    case: str, peers: tuple[StockClient, Debuggee]
) -> None:
    client, server = peers
    client.start(case, server)
    client.finish()
