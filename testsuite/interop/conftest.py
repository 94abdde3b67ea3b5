# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: debuggees, stock clients and servers, as real processes on ports the kernel picks."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc

pytest_plugins = ["measures", "selection"]
pytest.register_assert_rewrite("harness", "rawpeer")

from certificates import Files  # noqa: E402
from harness import (  # noqa: E402
    OBEY,
    RPYC4,
    RPYC5,
    RPYC5_BOUND,
    RPYC6,
    RPYC6_BOUND,
    SANITIZED,
    SERVERS,
    Debuggee,
    Stock,
    StockClient,
    command,
    debuggee_environment,
    start_stuck,
)
from rawpeer import assert_no_leaks  # noqa: E402


@pytest.fixture
def start_debuggee() -> Iterator[Callable[..., Debuggee]]:
    """Starts programs with our server in them: `start_debuggee("stuck.py", port=0, ...)`.

    Keyword arguments go to `run_server`; `arguments` to the program. At the end of the test each
    one that is still running has to end well: status 0, nothing on stderr, and on stdout what it
    prints itself.
    """
    started: list[Debuggee] = []

    def start(
        program: str = "stuck.py",
        *,
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> Debuggee:
        options.setdefault("port", 0)
        argv = command(program, json.dumps(options), *arguments)
        debuggee = Debuggee(argv, debuggee_environment(**(env or {})))
        started.append(debuggee)
        return debuggee

    try:
        yield start
        for debuggee in started:
            if not debuggee.ended:
                debuggee.end_well()
    finally:
        for debuggee in started:
            debuggee.kill()


@pytest.fixture
def stuck(start_debuggee: Callable[..., Debuggee]) -> Debuggee:
    """The README's stuck program with our server on a TCP port."""
    return start_debuggee()


@pytest.fixture
def obedient(start_debuggee: Callable[..., Debuggee]) -> Debuggee:
    """A program whose main thread does what it is told."""
    debuggee = start_debuggee("plain.py", arguments=("", OBEY))
    debuggee.ended = True  # it prints more than "went on"
    debuggee.write("\n")
    return debuggee


@pytest.fixture(scope="module")
def lasting(request: pytest.FixtureRequest) -> Iterator[Callable[..., Debuggee]]:
    """Gives the same stuck program to all tests of a module, and another one if a test killed it.

    That is faster than one for each, and harder for the program, which has to end well even so.
    With an argument, the server in the program is that of a stock rpyc. A module whose tests look
    at frames says so by LOOKS_AT_FRAMES: they are then held from where LeakSanitizer does not look.
    """
    started: dict[Stock | None, Debuggee] = {}

    def get(stock: Stock | None = None) -> Debuggee:
        if stock in started and not started[stock].is_alive():
            started.pop(stock).kill()
        if stock not in started:
            started[stock] = start_stuck(stock)
        return started[stock]

    try:
        yield get
        if None in started:
            if SANITIZED and not getattr(request.module, "LOOKS_AT_FRAMES", False):
                assert_no_leaks(started[None])
            started[None].end_well()
    finally:
        for debuggee in started.values():
            debuggee.kill()


@pytest.fixture(params=SERVERS, ids=lambda stock: str(stock or "ours"))
def server(request: pytest.FixtureRequest, lasting: Callable[..., Debuggee]) -> Debuggee:
    """A stuck program with a server of each kind, used again by the next test."""
    stock: Stock | None = request.param
    return lasting(stock)


@pytest.fixture
def ours(lasting: Callable[..., Debuggee]) -> Debuggee:
    """A stuck program with our server, for what does not depend on the server."""
    return lasting()


@pytest.fixture
def connect() -> Iterator[Callable[[Debuggee], Any]]:
    """Connects the stock rpyc of this very process to a debuggee."""
    connections = []

    def connect_to(debuggee: Debuggee) -> Any:
        if debuggee.unix_socket:
            connection = rpyc.classic.unix_connect(debuggee.unix_socket)
        else:
            ipv6 = ":" in str(debuggee.host)
            connection = rpyc.classic.connect(debuggee.host, debuggee.port, ipv6=ipv6)
        connections.append(connection)
        return connection

    yield connect_to
    for connection in connections:
        connection.close()


@pytest.fixture(
    scope="session",
    params=[RPYC4, RPYC5, RPYC6, RPYC5_BOUND, RPYC6_BOUND],
    ids=str,
)
def stock_clients(request: pytest.FixtureRequest) -> Iterator[Callable[[], StockClient]]:
    """Gives a client process of each stock rpyc, with and without bind-threads.

    It is used again for the next test as long as it is well.
    """
    client: StockClient | None = None

    def get() -> StockClient:
        nonlocal client
        if client is None or not client.is_alive():
            client = StockClient(request.param)
        return client

    yield get
    if client is not None:
        client.kill()


@pytest.fixture
def stock_client(stock_clients: Callable[[], StockClient]) -> Iterator[StockClient]:
    """A client process for one test; not used again if the test left it in the middle of a case."""
    client = stock_clients()
    yield client
    if client.busy:
        client.kill()


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A directory for Unix sockets: its name is short enough, and everyone may look into it."""
    with tempfile.TemporaryDirectory(prefix="pystuck-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def ipv6() -> None:
    """Skips the test where there is no IPv6 loopback."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Certificates for TLS."""
    return Files(tmp_path_factory.mktemp("certificates"))
