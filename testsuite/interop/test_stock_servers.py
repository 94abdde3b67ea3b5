# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) at every kind of server that stock rpyc has, and at its script rpyc_classic."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Files
from faults import SLOW
from harness import (
    RPYC4,
    RPYC5,
    RPYC5_BOUND,
    RPYC6,
    RPYC6_BOUND,
    Debuggee,
    Running,
    Stock,
    build_setting,
    c_program,
    clean_environment,
    command,
    pystuck,
    python,
    wait_until,
)
from prompts import Prompt
from tls_clients import needs_tls

STOCKS = [RPYC4, RPYC5, RPYC6, RPYC5_BOUND, RPYC6_BOUND]
UNBOUND = [RPYC4, RPYC5, RPYC6]

slow = pytest.mark.skipif(not SLOW, reason="only with PYSTUCK_SLOW=1")

Start = Callable[..., Debuggee]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server of a stock rpyc: `start(RPYC5, "ThreadPoolServer", nbThreads=1)`."""
    started = []

    def start_one(stock: Stock, kind: str, *more_settings: str, **options: Any) -> Debuggee:
        argv = command("stock_kind.py", kind, json.dumps(options))
        started.append(Debuggee(argv, stock.environment(*more_settings)))
        return started[-1]

    yield start_one
    for each in started:
        each.kill()


def version(stock: Stock) -> str:
    """What --rpyc has to say for a server of this rpyc."""
    return ("6" if stock.generation == "rpyc6" else "5") + "-bound" * stock.bound


def sockets(server: Debuggee) -> list[str]:
    """The sockets that a server has open."""
    return [each for each in server.descriptors().values() if each.startswith("socket:")]


def assert_serves(server: Debuggee, *options: object, stacks: str = "wait_for_ever") -> None:
    """Checks that the client shows the stacks, runs a cell, and evaluates a chain."""
    where = [*options, server.host, server.port]
    done = pystuck(*where)
    assert (done.returncode, done.stderr if stacks else "") == (0, "")
    assert stacks in done.stdout
    done = pystuck("-c", "print('a'); 6 * 7", *where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\n42\n", "")
    done = pystuck("--no-exec", "-c", "modules['os.path'].join('a', 'b')", *where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "'a/b'\n", "")


def assert_prompts(server: Debuggee, home: Path, *options: object) -> None:
    """Checks that the prompt opens, runs a cell, and interrupts one."""
    prompt = Prompt([*options, server.host, server.port], home)
    assert "42" in prompt.cell("6 * 7")
    prompt.type("print('beg' + 'ins'); sum(x for x in iter(int, 1))\r")
    prompt.expect("begins\r\n")
    prompt.type("\x03")
    assert "KeyboardInterrupt" in prompt.next()
    assert "43" in prompt.cell("6 * 7 + 1")
    assert prompt.leave() == 0


# ---- ThreadPoolServer: silent to the wrong envelope ----------------------------------------------


@pytest.mark.parametrize("stock", STOCKS, ids=str)
def test_a_thread_pool_server_is_found_out_and_left_as_it_was(start: Start, stock: Stock) -> None:
    server = start(stock, "ThreadPoolServer", nbThreads=2)
    before = len(sockets(server))
    done = pystuck("--stacks", "-c", "6 * 7", server.host, server.port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "in wait_for_ever" in done.stdout
    assert done.stdout.endswith("\n42\n")
    wait_until(lambda: len(sockets(server)) <= before, "all connections to be closed there")


@slow
@pytest.mark.parametrize("threads", [1, 20])
@pytest.mark.parametrize("stock", STOCKS, ids=str)
def test_a_thread_pool_server_can_be_used(start: Start, stock: Stock, threads: int) -> None:
    server = start(stock, "ThreadPoolServer", nbThreads=threads)
    before = len(sockets(server))
    assert_serves(server)
    assert_serves(server, "--rpyc", version(stock))
    wait_until(lambda: len(sockets(server)) <= before, "all connections to be closed there")


@slow
@pytest.mark.parametrize("stock", STOCKS, ids=str)
def test_the_prompt_works_at_a_thread_pool_server(
    start: Start, stock: Stock, tmp_path: Path
) -> None:
    assert_prompts(start(stock, "ThreadPoolServer"), tmp_path)


@needs_tls
@pytest.mark.parametrize("stock", STOCKS if SLOW else [RPYC5], ids=str)
def test_a_thread_pool_server_is_found_out_over_tls(
    start: Start, stock: Stock, files: Files
) -> None:
    if stock == RPYC4:
        pytest.skip("rpyc 4's SSLAuthenticator speaks TLS 1.0 only; pystuck needs 1.2 or later")
    keys = {"keyfile": files.server_key, "certfile": files.server_cert}
    server = start(stock, "ThreadPoolServer", ssl=keys)
    done = pystuck("--ssl-ca", files.ca, "-c", "6 * 7", server.host, server.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


#: For plain.py: keeps Python's global lock once it has said so.
KEEPS_THE_GIL = """
import ctypes
sleep = ctypes.PyDLL(None).usleep
print("kept", flush=True)
sleep(900_000_000)
"""


def connections_to(port: int) -> int:
    """Returns the number of open sockets that are connected to a port of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[9] != "0" for row in rows)


@pytest.mark.rotates(3)
def test_a_busy_pystuck_server_gets_one_connection(start_debuggee: Start) -> None:
    busy = start_debuggee("plain.py", arguments=("", KEEPS_THE_GIL))
    busy.ended = True
    busy.write("keep it\n")
    assert busy.read_line() == "kept"
    wait_until(lambda: busy.status("State").startswith("S"), "it to sleep")
    most = 0
    argv = c_program("PYSTUCK_BIN", "--no-repl", "--timeout", 2, "-c", "1", busy.host, busy.port)
    client = Running(argv, clean_environment())
    try:
        while client.is_alive():
            most = max(most, connections_to(busy.port))
        assert "cannot run code: GIL held for at least " in client.stderr()
    finally:
        client.kill()
    assert most == 1


# ---- OneShotServer: the guess is its one connection ----------------------------------------------


@pytest.mark.parametrize("stock", STOCKS if SLOW else [RPYC4, RPYC6], ids=str)
def test_a_one_shot_server_needs_to_be_told_unless_it_is_of_rpyc_6(
    start: Start, stock: Stock
) -> None:
    server = start(stock, "OneShotServer")
    done = pystuck("--timeout", 3, "-c", "6 * 7", server.host, server.port)
    if stock == RPYC6:
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
        return
    bound = " with bind-threads" if stock.bound else ""
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"pystuck: 127.0.0.1:{server.port} speaks rpyc {version(stock)[0]}{bound}, but "
        "served only one connection: if it is a OneShotServer, start the server again and "
        f"run pystuck with --rpyc {version(stock)}\n"
    )
    server = start(stock, "OneShotServer")
    done = pystuck("--rpyc", version(stock), "-c", "6 * 7", server.host, server.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


@pytest.mark.parametrize("stock", UNBOUND if SLOW else [RPYC6], ids=str)
def test_a_cell_at_a_one_shot_server_cannot_be_interrupted(
    start: Start, stock: Stock, tmp_path: Path
) -> None:
    """To interrupt a cell is a request on a second connection."""
    server = start(stock, "OneShotServer")
    prompt = Prompt(["--rpyc", version(stock), server.host, server.port], tmp_path, columns=200)
    prompt.type("print('beg' + 'ins'); import time; time.sleep(1000)\r")
    prompt.expect("begins\r\n")
    prompt.type("\x03")
    said = prompt.expect("gone> ")
    assert "it keeps running in the program" in said
    assert (
        f"cannot reconnect: no answer in time from 127.0.0.1:{server.port}: the server "
        "serves another client, or its program is stopped" in said
    )
    assert prompt.leave() == 0


# ---- The others ----------------------------------------------------------------------------------


@slow
@pytest.mark.parametrize("stock", STOCKS, ids=str)
def test_a_forking_server_shows_the_child_that_serves(
    start: Start, stock: Stock, tmp_path: Path
) -> None:
    server = start(stock, "ForkingServer")
    assert_serves(server, stacks="")
    prompt = Prompt([server.host, server.port], tmp_path)
    assert "42" in prompt.cell("6 * 7")
    assert prompt.leave() == 0


@slow
@pytest.mark.skipif("PYSTUCK_GEVENT" not in os.environ, reason="no gevent for this Python")
@pytest.mark.parametrize("stock", UNBOUND, ids=str)
def test_a_gevent_server_can_be_used(start: Start, stock: Stock, tmp_path: Path) -> None:
    server = start(stock, "GeventServer", "PYSTUCK_GEVENT")
    assert_serves(server, stacks="")
    prompt = Prompt([server.host, server.port], tmp_path)
    assert "42" in prompt.cell("6 * 7")
    assert prompt.leave() == 0


@slow
@pytest.mark.parametrize("stock", STOCKS, ids=str)
def test_a_threaded_server_can_be_used(start: Start, stock: Stock, tmp_path: Path) -> None:
    server = start(stock, "ThreadedServer")
    assert_serves(server)
    assert_prompts(server, tmp_path)


# ---- rpyc_classic --------------------------------------------------------------------------------


@pytest.fixture
def start_classic() -> Iterator[Callable[[Stock, str], Running]]:
    """Starts rpyc's own script in a mode; `address` of what it gives is where it listens."""
    started = []

    def start_one(stock: Stock, mode: str) -> Running:
        script = Path(build_setting(f"PYSTUCK_{stock.generation.upper()}")) / "bin/rpyc_classic.py"
        argv = [python(), "-W", "ignore", str(script), "-m", mode, "-p", "0"]
        running = Running([*argv, "--host", "127.0.0.1"], stock.environment())
        started.append(running)
        return running

    yield start_one
    for each in started:
        each.kill()


def port_of(script: Running) -> str:
    """The port that rpyc_classic tells on standard error."""
    wait_until(lambda: re.search(r"started on \[127.0.0.1\]:\d+", script.stderr()), "the server")
    match = re.search(r"started on \[127.0.0.1\]:(\d+)", script.stderr())
    assert match
    return match[1]


@pytest.mark.parametrize("stock", STOCKS if SLOW else [RPYC5], ids=str)
@pytest.mark.parametrize("mode", ["threaded", "forking", "oneshot"])
def test_rpyc_classic_can_be_used(
    start_classic: Callable[[Stock, str], Running], stock: Stock, mode: str
) -> None:
    script = start_classic(stock, mode)
    told = ["--rpyc", version(stock)] if mode == "oneshot" else []
    done = pystuck(*told, "-c", "6 * 7", "127.0.0.1", port_of(script))
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    if mode == "oneshot":
        assert script.wait() == 0
