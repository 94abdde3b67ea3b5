# SPDX-License-Identifier: BSD-3-Clause
"""librpyc from C: each case of librpyc_user against stock servers and pystuck's."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import (
    PATIENCE,
    Debuggee,
    Running,
    c_program,
    command,
    debuggee_environment,
    python,
    run_program,
    stock_environment,
)

SOURCES = sorted(Path(__file__).parent.glob("librpyc_user_*.c"))
CASES = [
    case
    for source in SOURCES
    for case in re.findall(r"^CASE\((\w+)\)$", source.read_text(), re.MULTILINE)
]

#: The servers by name: (the variable with the packages of rpyc, or None for pystuck's server; the
#: service; more environment variables).
SERVERS: dict[str, tuple[str | None, str, dict[str, str]]] = {
    "rpyc5": ("PYSTUCK_RPYC5", "SlaveService", {}),
    "rpyc6": ("PYSTUCK_RPYC6", "SlaveService", {}),
    "rpyc5-symmetric": ("PYSTUCK_RPYC5", "ClassicService", {}),
    "rpyc6-symmetric": ("PYSTUCK_RPYC6", "ClassicService", {}),
    "rpyc5-bind-threads": ("PYSTUCK_RPYC5", "SlaveService", {"RPYC_BIND_THREADS": "true"}),
    "rpyc6-bind-threads": ("PYSTUCK_RPYC6", "SlaveService", {"RPYC_BIND_THREADS": "true"}),
    "ours": (None, "", {}),
}

#: The time limit of a case, in seconds. Cases have deadlines of up to 30 s of their own.
CASE_TIMEOUT = 60 + PATIENCE


def start_server(name: str) -> Debuggee:
    """Starts the stuck program with one of the servers."""
    setting, service, more = SERVERS[name]
    if setting is None:
        return Debuggee(command("stuck.py", '{"port": 0}'), debuggee_environment())
    return Debuggee(command("stock_server.py", service), stock_environment(setting, **more))


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """Starts one server of each kind for all cases.

    Checks that the program with pystuck's server ends normally. A stock server logs an error if a
    client closes the connection while the server sends.
    """
    debuggee = start_server(request.param)
    try:
        yield debuggee
        if request.param == "ours":
            debuggee.end_well()
    finally:
        debuggee.kill()


def run_user(*arguments: str) -> str:
    """Returns what librpyc_user prints. Fails the test unless its status is 0."""
    done = run_program(c_program("LIBRPYC_USER", *arguments), timeout=CASE_TIMEOUT)
    if done.returncode != 0 or done.stderr:
        pytest.fail(f"status {done.returncode}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def test_every_case_of_the_program_is_known() -> None:
    assert sorted(run_user().split()) == sorted(CASES)


def test_a_case_fails_without_a_listener(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="No such file or directory"):
        run_user("says_hello", str(tmp_path / "no-listener"))


@pytest.mark.parametrize("case", CASES)
def test_a_c_program(server: Debuggee, case: str) -> None:
    assert run_user(case, "127.0.0.1", str(server.port)) == f"ok {case}\n"
    assert server.is_alive()


# ---- Other addresses -----------------------------------------------------------------------------

#: Serves on what its argument, JSON, says; prints the port.
STOCK = """
import json
import sys
import threading

from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer

server = ThreadedServer(SlaveService, auto_register=False, **json.loads(sys.argv[1]))
threading.Thread(target=server.start, daemon=True).start()
while not server.active:
    threading.Event().wait(0.001)
print(server.port, flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"], ids=["rpyc5", "rpyc6"])
def serve_at(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Starts a stock ThreadedServer with these arguments. Returns its port."""
    started: list[Running] = []

    def start(**where: object) -> str:
        argv = [python(), "-c", STOCK, json.dumps(where)]
        started.append(Running(argv, stock_environment(request.param)))
        return started[-1].read_line()

    yield start
    for process in started:
        process.kill()


def assert_connects(*address: str) -> None:
    """Checks that a C program can use the server at this address."""
    for case in ("says_hello", "finds_out_the_generation", "takes_a_connected_socket"):
        assert run_user(case, *address) == f"ok {case}\n"


def test_a_server_is_connected_to_by_its_name(server: Debuggee) -> None:
    """The name may also have an IPv6 address without a listener."""
    assert_connects("localhost", str(server.port))


def test_a_stock_server_is_connected_to_over_ipv6(serve_at: Callable[..., str], ipv6: None) -> None:
    assert_connects("::1", serve_at(hostname="::1", port=0, ipv6=True))


def test_a_stock_server_is_connected_to_over_a_unix_socket(
    serve_at: Callable[..., str], socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    serve_at(socket_path=path)
    assert_connects(path)


def test_a_stock_server_is_connected_to_by_an_abstract_name(serve_at: Callable[..., str]) -> None:
    name = f"librpyc-{secrets.token_hex(8)}"
    serve_at(socket_path="\0" + name)
    assert_connects("@" + name)


def test_connects_to_a_pystuck_server_over_ipv6(
    start_debuggee: Callable[..., Debuggee], ipv6: None
) -> None:
    assert_connects("::1", str(start_debuggee(host="::1").port))


def test_connects_to_a_pystuck_server_over_a_unix_socket(
    start_debuggee: Callable[..., Debuggee], socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    start_debuggee(unix_socket=path)
    assert_connects(path)
