# SPDX-License-Identifier: BSD-3-Clause
"""The arguments of run_server that the original pystuck and rpyc's Server have; its logger.

Also clients that disappear during a request.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest
import rpyc
from harness import (
    STRANGER,
    Debuggee,
    Running,
    as_user,
    debuggee_environment,
    python,
    run_python,
    stock_environment,
    wait_until,
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

ATTEMPT = """
import json, sys
import pystuck
try:
    server = pystuck.run_server(port=0, **json.loads(sys.argv[1]))
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
else:
    print(json.dumps({"error": None, "host": server.host}))
"""


def attempt(**arguments: Any) -> str | None:
    """Calls run_server in another process; returns the exception, or None."""
    return run_python(ATTEMPT, json.dumps(arguments))["error"]


# ---- Arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"patch_greenlet": False},
        {"patch_greenlet": True},
        {"backlog": 5},
        {"reuse_addr": False},
        {"protocol_config": {"sync_request_timeout": 5}},
        {"protocol_config": None},
        {"auto_register": False, "registrar": None, "authenticator": None, "logger": None},
        {"listener_timeout": 0.5},
    ],
    ids=lambda arguments: "-".join(arguments),
)
def test_an_argument_of_stock_servers_is_accepted(arguments: dict[str, Any]) -> None:
    assert attempt(**arguments) is None


@pytest.mark.parametrize(
    "arguments",
    [{"auto_register": True}, {"registrar": "x"}, {"socket_path": "x"}, {"hostname": "x"}],
    ids=lambda arguments: "-".join(arguments),
)
def test_the_error_names_an_argument_that_is_not_supported(arguments: dict[str, Any]) -> None:
    error = attempt(**arguments)
    assert error is not None
    assert error.startswith("TypeError: run_server() ")
    assert next(iter(arguments)) in error


def test_the_argument_ipv6_is_accepted(ipv6: None) -> None:
    assert run_python(ATTEMPT, json.dumps({"host": "::1", "ipv6": True}))["host"] == "::1"


def test_protocol_config_is_the_configuration_of_each_connection(
    start_debuggee: Start, connect: Connect
) -> None:
    config = {"sync_request_timeout": 7, "allow_pickle": False}
    c = connect(start_debuggee(protocol_config=config))
    assert c.root.getconn()._config["sync_request_timeout"] == 7
    with pytest.raises(ValueError, match="pickling is disabled"):
        rpyc.classic.obtain(c.eval("[1]"))
    assert c.eval("1 + 1") == 2


# ---- Clients that disappear ----------------------------------------------------------------------

VANISH = """
import rpyc, sys
c = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))
c.execute('''
import sys
class Thing:
    def __del__(self):
        sys.things_gone += 1
def block():
    sys.asked.append(1)
    sys.held_lock.acquire()
''')
mine = [c.eval("Thing()") for i in range(3)]
blocked = rpyc.async_(c.namespace["block"])()
print("asked", flush=True)
blocked.wait()
"""


@pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])
@pytest.mark.parametrize("bound", ["false", "true"])
@pytest.mark.rotates(4)
def test_the_references_of_a_killed_client_are_deleted_though_its_request_blocks(
    setting: str, bound: str, start_debuggee: Start, connect: Connect
) -> None:
    stuck = start_debuggee()
    observer = connect(stuck)
    observer.execute(
        "import sys, threading\n"
        "sys.things_gone, sys.asked, sys.held_lock = 0, [], threading.Lock()\n"
        "sys.held_lock.acquire()"
    )
    count = 4  # either the listener or a thread of the client may notice first
    argv = [python(), "-c", VANISH, str(stuck.port)]
    env = stock_environment(setting, RPYC_BIND_THREADS=bound)
    clients = [Running(argv, env) for _ in range(count)]
    try:
        for client in clients:
            assert client.read_line() == "asked"
        wait_until(lambda: observer.eval("len(sys.asked)") == count, "the requests to block")
    finally:
        for client in clients:
            client.kill()
    wait_until(lambda: observer.eval("sys.things_gone") == 3 * count, "the objects to be deleted")
    for _ in range(count):  # the requests still block
        wait_until(lambda: observer.eval("sys.held_lock.locked()"), "a request to take the lock")
        observer.execute("sys.held_lock.release()")


# ---- The logger ----------------------------------------------------------------------------------

LOGGED = """
import json, logging, sys, threading
import pystuck

class Lines(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.getMessage(), flush=True)

logger = logging.getLogger("mine")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(Lines())
server = pystuck.run_server(port=0, logger=logger)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
for line in sys.stdin:
    if line == "hold\\n":
        logger.handlers[0].acquire()  # as a thread that is stuck within the logger
    print(sorted(t.name for t in threading.enumerate()), flush=True)
"""


def test_the_logger_gets_records_about_clients(connect: Connect) -> None:
    debuggee = Debuggee([python(), "-c", LOGGED], debuggee_environment())
    try:
        c = connect(debuggee)
        assert debuggee.read_line() == "INFO client 0: connected"
        c.close()
        assert debuggee.read_line() == "INFO client 0: gone"

        def threads() -> str:
            debuggee.write("\n")
            return debuggee.read_line()

        # The thread that calls the logger is in threading.enumerate() until it ends.
        wait_until(lambda: threads() == "['MainThread']", "the thread of the logger to end")
    finally:
        debuggee.kill()


def test_clients_are_served_while_the_logger_is_stuck(connect: Connect) -> None:
    debuggee = Debuggee([python(), "-c", LOGGED], debuggee_environment())
    try:
        debuggee.write("hold\n")
        assert debuggee.read_line() == "['MainThread']"
        for _ in range(5):
            assert connect(debuggee).eval("1 + 1") == 2
    finally:
        debuggee.kill()


SIGNALS = """
import json, logging, signal, sys
import pystuck

class Signals(logging.Handler):
    def emit(self, record):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        print(record.getMessage(), "with blocked", sorted(map(int, blocked)), flush=True)

logger = logging.Logger("mine", logging.INFO)
logger.addHandler(Signals())
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR2,))
server = pystuck.run_server(port=0, logger=logger)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
"""


def test_the_logger_is_called_with_the_same_blocked_signals_as_requests(connect: Connect) -> None:
    """These are the signals that the thread of run_server blocks: processes that the logger starts
    inherit them."""
    debuggee = Debuggee([python(), "-c", SIGNALS], debuggee_environment())
    try:
        c = connect(debuggee)
        c.execute("import signal")
        blocked = c.eval("tuple(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))")
        assert blocked == (signal.SIGUSR2,)
        assert debuggee.read_line() == f"client 0: connected with blocked {list(blocked)}"
        c.close()
        assert debuggee.read_line() == f"client 0: gone with blocked {list(blocked)}"
    finally:
        debuggee.kill()


def test_the_logger_gets_a_record_about_a_refused_client() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    debuggee = Debuggee([python(), "-c", LOGGED], debuggee_environment())
    try:
        as_user(STRANGER, lambda: socket.create_connection(("127.0.0.1", debuggee.port)).recv(1))
        line = debuggee.read_line()
        assert line.startswith("WARNING a client was refused: ")
        assert str(STRANGER) in line
    finally:
        debuggee.kill()
