# SPDX-License-Identifier: BSD-3-Clause
"""run_server: the addresses where it listens, its errors, and the Server object it returns."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    PATIENCE,
    Debuggee,
    debuggee_environment,
    python,
    run_python,
    tell,
    wait_until,
)
from rawpeer import (
    ENVELOPES,
    Handler,
    box,
    connect_socket,
    is_refused,
    raw_connect,
    twenty_busy_clients,
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: Calls run_server with the arguments in argv[1], and prints the exception or the addresses.
ATTEMPT = """
import json, sys
import pystuck
arguments = json.loads(sys.argv[1])
try:
    server = pystuck.run_server(**arguments)
except Exception as error:
    answer = {
        "classes": [cls.__name__ for cls in type(error).__mro__],
        "errno": getattr(error, "errno", None),
        "text": str(error),
    }
else:
    answer = {
        "classes": None, "host": server.host, "port": server.port, "unix": server.unix_socket
    }
print(json.dumps(answer))
"""


def attempt(**arguments: Any) -> dict[str, Any]:
    """Calls run_server in another process; returns what ATTEMPT prints."""
    return run_python(ATTEMPT, json.dumps(arguments))


# ---- Addresses -----------------------------------------------------------------------------------


def test_a_port_in_use_is_an_oserror_with_the_errno_of_bind(taken_port: int) -> None:
    answer = attempt(port=taken_port)
    assert "OSError" in answer["classes"]
    assert answer["errno"] == errno.EADDRINUSE
    assert str(taken_port) in answer["text"]


def test_port_0_is_replaced_by_the_port_that_the_kernel_chose(stuck: Debuggee) -> None:
    assert stuck.host == "127.0.0.1"
    assert stuck.port
    connect_socket(stuck).close()


def test_the_default_port_is_6666() -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # it may be in use already
            stack.enter_context(socket.create_server(("127.0.0.1", 6666)))
        answer = attempt()
    assert answer["errno"] == errno.EADDRINUSE
    assert "6666" in answer["text"]


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "0.0.0.0", "", "::", "224.0.0.1", "2001:db8::1", "::ffff:192.0.2.1"]
)
def test_an_address_that_is_not_a_loopback_address_is_a_value_error(host: str) -> None:
    answer = attempt(host=host, port=0)
    assert answer["classes"] is not None
    assert "ValueError" in answer["classes"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost"])
def test_the_server_listens_on_every_loopback_address(
    host: str, start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee(host=host)
    assert connect(debuggee).eval("1+1") == 2


def test_the_server_listens_on_the_ipv6_loopback_address(
    start_debuggee: Start, connect: Connect, ipv6: None
) -> None:
    debuggee = start_debuggee(host="::1")
    assert debuggee.host == "::1"
    assert connect(debuggee).eval("1+1") == 2


def test_a_host_that_does_not_exist_is_an_error() -> None:
    answer = attempt(host="no-such-host.invalid", port=0)
    assert {"OSError", "ValueError"} & set(answer["classes"])


@pytest.mark.parametrize(
    ("name", "value", "classes"),
    [
        ("port", -1, {"OverflowError", "ValueError"}),
        ("port", 65536, {"OverflowError", "ValueError"}),
        ("port", 2**40, {"OverflowError", "ValueError"}),
        ("port", 2**80, {"OverflowError", "ValueError"}),
        ("port", "6666", {"TypeError", "ValueError"}),
        ("port", None, {"TypeError"}),
        ("port", 1.5, {"TypeError"}),
        ("host", 5, {"TypeError"}),
        ("host", None, {"TypeError"}),
        ("host", ["127.0.0.1"], {"TypeError"}),
        ("host", "127.0.0.1\0", {"ValueError", "TypeError"}),
        ("unix_socket", 5, {"TypeError"}),
        ("unix_socket", ["/tmp/x"], {"TypeError"}),
        ("unix_socket", "a\0b", {"ValueError", "TypeError"}),
        ("nonsense", 1, {"TypeError"}),
    ],
)
@pytest.mark.rotates(3)
def test_an_invalid_argument_is_an_error(name: str, value: Any, classes: set[str]) -> None:
    answer = attempt(**{"port": 0, name: value})
    assert answer["classes"] is not None
    assert classes & set(answer["classes"])


def test_the_server_accepts_connections_when_run_server_returns() -> None:
    answer = run_python(
        "import json, socket, pystuck\n"
        "for _ in range(20):\n"
        "    server = pystuck.run_server(port=0)\n"
        "    socket.create_connection((server.host, server.port)).close()\n"
        "    server.close()\n"
        "print(json.dumps('accepted'))\n"
    )
    assert answer == "accepted"


def test_arguments_can_be_given_by_position() -> None:
    answer = run_python(
        "import json, pystuck\n"
        "server = pystuck.run_server('127.0.0.2', 0)\n"
        "print(json.dumps([server.host, server.port > 0, server.unix_socket]))\n"
    )
    assert answer == ["127.0.0.2", True, None]


# ---- Unix sockets --------------------------------------------------------------------------------


def test_a_unix_socket_is_served(start_debuggee: Start, connect: Connect, socket_dir: Path) -> None:
    path = socket_dir / "s"
    debuggee = start_debuggee(unix_socket=str(path))
    assert debuggee.unix_socket == str(path)
    assert connect(debuggee).modules.sys.argv[0].endswith("stuck.py")
    for envelope in ENVELOPES:
        with raw_connect(debuggee, envelope) as peer:
            assert peer.eval("1+1") == 2


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_only_the_owner_may_connect_to_a_unix_socket(socket_dir: Path, umask: int) -> None:
    path = socket_dir / "s"
    answer = run_python(
        "import json, os, sys, pystuck\n"
        "os.umask(int(sys.argv[2]))\n"
        "server = pystuck.run_server(unix_socket=sys.argv[1])\n"
        "mode = os.stat(sys.argv[1]).st_mode\n"
        "print(json.dumps([mode, os.umask(0)]))\n",
        str(path),
        str(umask),
    )
    mode, umask_after = answer
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert umask_after == umask


def test_a_unix_socket_in_a_missing_directory_is_an_error(socket_dir: Path) -> None:
    answer = attempt(unix_socket=str(socket_dir / "missing" / "s"))
    assert "FileNotFoundError" in answer["classes"]
    assert answer["errno"] == errno.ENOENT
    assert "missing" in answer["text"]


def test_a_unix_socket_with_a_too_long_name_is_an_error(socket_dir: Path) -> None:
    answer = attempt(unix_socket=str(socket_dir / ("x" * 200)))
    assert {"OSError", "ValueError"} & set(answer["classes"])


def test_a_unix_socket_does_not_replace_a_file(socket_dir: Path) -> None:
    path = socket_dir / "precious"
    path.write_text("data")
    answer = attempt(unix_socket=str(path))
    assert "OSError" in answer["classes"]
    assert path.read_text() == "data"


def test_a_unix_socket_that_is_in_use_is_not_replaced(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    path = socket_dir / "s"
    debuggee = start_debuggee(unix_socket=str(path))
    inode = path.stat().st_ino
    answer = attempt(unix_socket=str(path))
    assert "OSError" in answer["classes"]
    assert answer["errno"] == errno.EADDRINUSE
    assert path.stat().st_ino == inode
    assert connect(debuggee).eval("1+1") == 2


def test_a_unix_socket_whose_queue_is_full_is_not_replaced(socket_dir: Path) -> None:
    path = socket_dir / "s"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        inode = path.stat().st_ino
        with contextlib.suppress(BlockingIOError):
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))
        assert attempt(unix_socket=str(path))["errno"] == errno.EADDRINUSE
        assert path.stat().st_ino == inode


def test_a_unix_socket_of_a_dead_process_is_replaced(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    path = socket_dir / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
    debuggee = start_debuggee(unix_socket=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert connect(debuggee).eval("1+1") == 2


def test_of_two_servers_that_start_at_once_none_replaces_the_others_unix_socket(
    socket_dir: Path,
) -> None:
    """A socket that is bound but does not listen looks dead: a server must wait for the lock."""
    path = socket_dir / "s"
    code = "import pystuck, sys\npystuck.run_server(unix_socket=sys.argv[1])"
    with socket.socket(socket.AF_UNIX) as other:
        lock = os.open(socket_dir, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            other.bind(str(path))
            inode = path.stat().st_ino
            process = subprocess.Popen(
                [python(), "-c", code, str(path)], env=debuggee_environment(), stderr=-1, text=True
            )

            def has_come() -> bool:
                fds = Path(f"/proc/{process.pid}/fd")
                with contextlib.suppress(OSError):
                    return any(os.readlink(fd) == str(socket_dir) for fd in fds.iterdir())
                return process.poll() is not None

            wait_until(has_come, "the server to open the directory")
            other.listen()
        finally:
            os.close(lock)
        _, errors = process.communicate(timeout=PATIENCE)
        assert "OSError: [Errno 98] Address already in use" in errors
        assert path.stat().st_ino == inode


def test_close_removes_the_unix_socket(socket_dir: Path) -> None:
    path = socket_dir / "s"
    answer = run_python(
        "import json, os, sys, pystuck\n"
        "server = pystuck.run_server(unix_socket=sys.argv[1])\n"
        "before = os.path.exists(sys.argv[1])\n"
        "server.close()\n"
        "print(json.dumps([before, os.path.exists(sys.argv[1])]))\n",
        str(path),
    )
    assert answer == [True, False]


def test_close_does_not_remove_the_socket_of_another_process(socket_dir: Path) -> None:
    path = socket_dir / "s"
    answer = run_python(
        "import json, os, socket, sys, pystuck\n"
        "server = pystuck.run_server(unix_socket=sys.argv[1])\n"
        "os.unlink(sys.argv[1])\n"
        "other = socket.socket(socket.AF_UNIX); other.bind(sys.argv[1]); other.listen()\n"
        "server.close()\n"
        "other.close()\n"
        "print(json.dumps(os.path.exists(sys.argv[1])))\n",
        str(path),
    )
    assert answer is True


# ---- The Server object ---------------------------------------------------------------------------


def test_a_process_can_have_two_servers(start_debuggee: Start, connect: Connect) -> None:
    debuggee = start_debuggee("plain.py", arguments=("other = pystuck.run_server(port=0)",))
    first = connect(debuggee)
    first.execute("x = 1")
    port = first.eval("__import__('__main__').other.port")
    assert port != debuggee.port
    with contextlib.closing(rpyc.classic.connect("127.0.0.1", port)) as second:
        assert "x" not in second.namespace
        assert second.modules.os.getpid() == debuggee.pid
        first.execute("__import__('__main__').other.close()")
        with pytest.raises((EOFError, ConnectionError)):
            second.ping()
            second.ping()
    assert first.eval("x") == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_close_closes_the_port_and_the_connections(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", "server.close(); sys.stdin.readline()"))
    threads = len(debuggee.threads())
    with raw_connect(debuggee) as peer:
        assert peer.works()
        debuggee.write("close\n")
        assert peer.answer() is None
    wait_until(lambda: is_refused(debuggee), "the port to be closed")
    wait_until(lambda: len(debuggee.threads()) < threads, "the listener to end")


def test_close_can_be_called_twice_and_by_a_client(start_debuggee: Start, connect: Connect) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", "server.close(); server.close()"))
    client = connect(debuggee)
    with contextlib.suppress(EOFError, ConnectionError):
        client.execute("__import__('__main__').server.close()")
    assert debuggee.is_alive()


def test_a_closed_port_can_be_used_again() -> None:
    answer = run_python(
        "import json, pystuck, socket\n"
        "server = pystuck.run_server(port=0)\n"
        "client = socket.create_connection((server.host, server.port))\n"
        "port = server.port\n"
        "server.close()\n"
        "again = pystuck.run_server(port=port)\n"
        "client.close()\n"
        "print(json.dumps(again.port == port))\n"
    )
    assert answer is True


def test_the_server_goes_on_when_its_object_is_deleted(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("del server; __import__('gc').collect()",))
    assert connect(debuggee).eval("1+1") == 2


def test_the_attribute_clients_is_the_number_of_clients(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py")
    observer = connect(debuggee)
    observer.execute("from __main__ import server")
    assert observer.eval("server.clients") == 1
    with contextlib.ExitStack() as stack:
        for n in range(10):
            stack.enter_context(raw_connect(debuggee)).root()
            assert observer.eval("server.clients") == 2 + n
    wait_until(
        lambda: observer.eval("server.clients") == 1,
        "the server to notice that the clients have disconnected",
    )


BLOCK = "import threading\nblocked, lock = [], threading.Lock()\nlock.acquire()"

#: The largest number of clients that a server has at a time.
CLIENTS_MAX = 128


def test_clients_that_have_disconnected_do_not_count_though_their_requests_block(
    obedient: Debuggee,
) -> None:
    assert tell(obedient, BLOCK) is None
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS_MAX):
            peer = stack.enter_context(raw_connect(obedient))
            block = peer.eval("lambda main: (main.blocked.append(1), main.lock.acquire())")
            main = peer.eval("__import__('__main__')")
            peer.send(peer.request_frame(Handler.CALL, box((block, (main,)))))
        check = f"assert len(blocked) == server.clients == {CLIENTS_MAX}"
        wait_until(lambda: tell(obedient, check) is None, "the requests to block")
        with raw_connect(obedient) as refused:
            assert refused.is_closed()
    wait_until(
        lambda: tell(obedient, "assert server.clients == 0") is None, "the clients to be gone"
    )
    with raw_connect(obedient) as peer:
        assert peer.works()
    obedient.popen.stdin.close()
    assert obedient.read_rest() == "went on\n"
    assert (obedient.wait(), obedient.stderr()) == (0, "")


def test_the_server_object_is_a_context_manager() -> None:
    answer = run_python(
        "import json, pystuck, socket\n"
        "ports = []\n"
        "def is_open(port):\n"
        "    with socket.socket() as client:\n"
        "        return client.connect_ex(('127.0.0.1', port)) == 0\n"
        "with pystuck.run_server(port=0) as server:\n"
        "    ports.append(server.port)\n"
        "    inside = is_open(server.port)\n"
        "try:\n"
        "    with pystuck.run_server(port=0) as server:\n"
        "        ports.append(server.port)\n"
        "        1 / 0\n"
        "except ZeroDivisionError:\n"
        "    print(json.dumps([inside, *map(is_open, ports)]))\n"
    )
    assert answer == [True, False, False]


@pytest.mark.parametrize(
    "close", ["server.close()", "pystuck.stop_server()", "server.__exit__(None, None, None)"]
)
def test_a_server_can_be_closed_while_its_clients_send_requests(
    start_debuggee: Start, close: str
) -> None:
    code = f"{close}; print(server.clients >= 0, flush=True); sys.stdin.readline()"
    debuggee = start_debuggee("plain.py", arguments=("", code))
    with twenty_busy_clients(debuggee) as peers:
        debuggee.write("close it\n")
        assert debuggee.read_line() == "True"
        assert is_refused(debuggee)
        for peer in peers:
            while peer.receive() is not None:
                pass


HOLDING = """
import threading
gone, lock = [], threading.Lock()
lock.acquire()
class Thing:
    def __del__(self):
        gone.append(1)
def wait():
    blocked.append(1)
    lock.acquire()
blocked = []
"""


def test_close_deletes_the_references_of_clients_whose_requests_block(
    start_debuggee: Start,
) -> None:
    code = "server.close()\nfor line in sys.stdin: print(len(gone), flush=True)"
    debuggee = start_debuggee("plain.py", arguments=(HOLDING, code))
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(6)]
        held = [peer.eval("__import__('__main__').Thing()") for peer in peers]
        for peer in peers[1:]:
            wait = peer.eval("__import__('__main__').wait")
            peer.send(peer.request_frame(Handler.CALL, box((wait, ()))))
        blocked = "len(__import__('__main__').blocked)"
        wait_until(lambda: peers[0].eval(blocked) == 5, "the requests to block")
        debuggee.write("close it\n")

        def gone() -> int:
            debuggee.write("how many?\n")
            return int(debuggee.read_line())

        wait_until(lambda: gone() == len(held), "the objects to be deleted")
    debuggee.ended = True
    debuggee.popen.stdin.close()
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")
