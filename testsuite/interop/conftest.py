# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures that start debuggees, stock clients and stock servers as processes."""

from __future__ import annotations

import gc
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc

# The collection of the tests makes many objects that live to the end. Python would look through
# them again and again, which takes a third of the time of the collection.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leaves the collected tests out of later garbage collections."""
    gc.freeze()
    gc.enable()


pytest_plugins = ["measures", "turns", "hooked"]
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
    each_ends_well,
    start_stuck,
)
from rawpeer import assert_no_leaks  # noqa: E402


@pytest.fixture
def start_debuggee() -> Iterator[Callable[..., Debuggee]]:
    """Starts programs with pystuck's server: `start_debuggee("stuck.py", port=0, ...)`.

    The program gets `arguments`, and `run_server` gets the other keyword arguments. At the end of
    the test each program that still runs must end with status 0, nothing on stderr, and only its
    own output on stdout.
    """
    with each_ends_well() as started:

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

        yield start


@pytest.fixture
def stuck(start_debuggee: Callable[..., Debuggee]) -> Debuggee:
    """The README's stuck program with pystuck's server on a TCP port."""
    return start_debuggee()


@pytest.fixture
def obedient(start_debuggee: Callable[..., Debuggee]) -> Debuggee:
    """A program with pystuck's server whose main thread executes the code that `tell` sends."""
    debuggee = start_debuggee("plain.py", arguments=("", OBEY))
    debuggee.ended = True  # end_well() expects other output than this program's
    debuggee.write("\n")
    return debuggee


@pytest.fixture(scope="module")
def lasting(request: pytest.FixtureRequest) -> Iterator[Callable[..., Debuggee]]:
    """Returns the same stuck program for all tests of a module; a new one if a test killed it.

    This is faster than one program for each test, and checks that the program still ends well after
    many tests. With an argument, the program has the server of that stock rpyc. A module whose
    tests read frames sets LOOKS_AT_FRAMES: LeakSanitizer does not find the references that frames
    hold, so leaks are not checked.
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
    """A stuck program with a server of each kind. The next test gets the same program."""
    stock: Stock | None = request.param
    return lasting(stock)


@pytest.fixture
def ours(lasting: Callable[..., Debuggee]) -> Debuggee:
    """A stuck program with pystuck's server, for tests that need no other kind of server."""
    return lasting()


@pytest.fixture
def connect() -> Iterator[Callable[[Debuggee], Any]]:
    """Connects to a debuggee with the stock rpyc of the process that runs the tests."""
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
    """Returns a client process of each stock rpyc, with and without bind-threads.

    The next test gets the same process if it still runs.
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
    """A client process for one test. It is killed if the test ends while a case is running."""
    client = stock_clients()
    yield client
    if client.busy:
        client.kill()


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A directory for Unix sockets, with a short name, which all users may enter."""
    with tempfile.TemporaryDirectory(prefix="pystuck-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def ipv6() -> None:
    """Skips the test on a machine without the IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6: {error}")


@pytest.fixture
def free_port() -> Iterator[int]:
    """Returns a port on which no server listens. A server may be started on it.

    Until the end of the test the kernel gives the port to no other socket: a socket is bound to it,
    which does not listen. A server that sets SO_REUSEADDR, as all do here, can be bound to it, too.
    """
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Returns a port on which a server listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Creates certificates for TLS."""
    return Files(tmp_path_factory.mktemp("certificates"))
