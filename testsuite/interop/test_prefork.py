# SPDX-License-Identifier: BSD-3-Clause
"""Forked children that serve as well: follow_fork, and run_server in each child."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    SANITIZED,
    Debuggee,
    Running,
    debuggee_environment,
    is_gone,
    links,
    python,
    run_python,
    wait_until,
)

# A program that forks while one of its threads starts, or allocates memory.
pytestmark = pytest.mark.skipif(
    SANITIZED, reason="AddressSanitizer's locks are not made anew in a child"
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


FORKS = """
import json, os, sys, time, warnings
import pystuck

warnings.simplefilter("ignore")

options = json.loads(sys.argv[1])
server = pystuck.run_server(follow_fork=True, **options)
pid = os.fork()
if pid == 0:
    mine = pystuck._servers
    where = [{"port": s.port, "unix_socket": s.unix_socket} for s in mine]
    print(json.dumps({"pid": os.getpid(), "servers": where}), flush=True)
    time.sleep(60)
    os._exit(0)
print(json.dumps({"host": server.host, "port": server.port, "unix_socket": server.unix_socket}),
      flush=True)
sys.stdin.readline()
os.kill(pid, 9)
os.waitpid(pid, 0)
"""


def forked(options: dict[str, Any]) -> tuple[Running, dict[str, Any], dict[str, Any]]:
    """The program, and the output of its two processes."""
    running = Running([python(), "-c", FORKS, json.dumps(options)], debuggee_environment())
    one, other = json.loads(running.read_line()), json.loads(running.read_line())
    return (running, one, other) if "host" in one else (running, other, one)


def test_a_child_by_fork_serves_at_the_next_port() -> None:
    running, parent, child = forked({"port": 0})
    try:
        assert len(child["servers"]) == 1
        assert child["servers"][0]["port"] != parent["port"]
        c = rpyc.classic.connect("127.0.0.1", child["servers"][0]["port"])
        assert c.modules.os.getpid() == child["pid"]
        c.close()
        p = rpyc.classic.connect("127.0.0.1", parent["port"])
        assert p.modules.os.getpid() == running.pid
        p.close()
        running.write("\n")
        assert running.wait() == 0
        assert running.stderr() == ""
    finally:
        running.kill()


def test_a_child_by_fork_serves_at_its_own_socket(socket_dir: Path) -> None:
    running, parent, child = forked({"unix_socket": str(socket_dir / "{pid}.sock")})
    try:
        assert parent["unix_socket"] == str(socket_dir / f"{running.pid}.sock")
        assert child["servers"][0]["unix_socket"] == str(socket_dir / f"{child['pid']}.sock")
        c = rpyc.classic.unix_connect(child["servers"][0]["unix_socket"])
        assert c.modules.os.getpid() == child["pid"]
        c.close()
    finally:
        running.kill()


#: The descriptors that a server keeps aside.
RESERVE = 3

CLOSED = """
import json, os, socket, sys, warnings
import pystuck

def listens(fd):
    with socket.socket(fileno=os.dup(fd)) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)

warnings.simplefilter("ignore")
unshared = object()
options = json.loads(sys.argv[1])
server, other = pystuck.run_server(port=0, **options), pystuck.run_server(port=0, **options)
exec(sys.argv[2])
third = pystuck.run_server(port=0, **options)
pystuck.run_server(port=0, **options).close()
kept = sys.getrefcount(server) - sys.getrefcount(unshared)
pid = os.fork()
if pid == 0:
    files = {file.name: os.path.realpath(file.path) for file in os.scandir("/proc/self/fd")}
    sockets = [int(name) for name, link in files.items() if "socket:" in link]
    print(json.dumps([sum(map(listens, sockets)), len(sockets), kept]), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("how", ["server.close()", "with server: pass"])
@pytest.mark.parametrize("follow_fork", [True, False])
def test_a_child_by_fork_does_not_serve_for_a_server_that_was_closed(
    follow_fork: bool, how: str
) -> None:
    """A forked child keeps the closed server in memory at most until it starts the next server."""
    listening, sockets, kept = run_python(CLOSED, json.dumps({"follow_fork": follow_fork}), how)
    assert listening == (2 if follow_fork else 0)  # the sockets of the other servers
    assert sockets == (listening + RESERVE if follow_fork else 0)
    assert kept == 0


ATTEMPT = """
import json, sys
import pystuck
try:
    pystuck.run_server(unix_socket=sys.argv[1], follow_fork=True)
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def test_a_socket_that_children_would_share_is_refused() -> None:
    error = run_python(ATTEMPT, "/nowhere/socket")
    assert error.startswith("ValueError: follow_fork needs '{pid}'")


FAILED = """
import json, os, sys, warnings
import pystuck
warnings.simplefilter("ignore")
pystuck.run_server(unix_socket=sys.argv[1] + "/{pid}", follow_fork=True)
pystuck.run_server(port=0, follow_fork=True)
os.rename(sys.argv[1], sys.argv[1] + ".moved")
if os.fork() == 0:
    if os.fork() == 0:
        print(json.dumps([server.unix_socket for server in pystuck._servers]), flush=True)
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
"""


def test_a_server_that_cannot_start_in_a_child_prints_nothing_and_stops_no_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "s").mkdir()
    assert run_python(FAILED, str(tmp_path / "s")) == [None]


def test_a_server_that_children_cannot_follow_is_closed(socket_dir: Path) -> None:
    code = (
        "import json, os, sys, pystuck\n"
        "def fail(*arguments): raise MemoryError\n"
        "pystuck._follow_fork.follow = fail\n"
        "try: pystuck.run_server(unix_socket=sys.argv[1] + '/{pid}', follow_fork=True)\n"
        "except MemoryError: print(json.dumps(os.listdir(sys.argv[1])))\n"
    )
    assert run_python(code, str(socket_dir)) == []


def test_a_grandchild_by_fork_serves_as_well(socket_dir: Path) -> None:
    code = (
        "import json, os, sys\n"
        "import pystuck, warnings; warnings.simplefilter('ignore')\n"
        "pystuck.run_server(unix_socket=sys.argv[1] + '/{pid}', follow_fork=True)\n"
        "generation = 0\n"
        "while generation < 3 and os.fork() == 0:\n"
        "    generation += 1\n"
        "names = [server.unix_socket for server in pystuck._servers]\n"
        "os.write(1, json.dumps([os.getpid(), generation, names]).encode() + b'\\n')\n"
        "sys.stdin.readline()\n"
    )
    running = Running([python(), "-c", code, str(socket_dir)], debuggee_environment())
    try:
        told = sorted((json.loads(running.read_line()) for _ in range(4)), key=lambda one: one[1])
        assert [generation for _, generation, _ in told] == [0, 1, 2, 3]
        for pid, _, names in told:
            assert names == [str(socket_dir / str(pid))]
            with contextlib.closing(rpyc.classic.unix_connect(names[0])) as client:
                assert client.eval("__import__('os').getpid()") == pid
        assert running.stderr() == ""
    finally:
        running.kill()


def test_children_by_fork_share_out_the_ports_after_the_parents(connect: Connect) -> None:
    code = (
        "import json, os, socket, sys\n"
        "import pystuck, warnings; warnings.simplefilter('ignore')\n"
        "with socket.create_server(('127.0.0.1', 0)) as one:\n"
        "    port = one.getsockname()[1]\n"
        "server = pystuck.run_server(port=port, follow_fork=True)\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        break\n"
        "ports = [server.port for server in pystuck._servers]\n"
        "os.write(1, json.dumps([os.getpid(), ports]).encode() + b'\\n')\n"
        "sys.stdin.readline()\n"
    )
    running = Running([python(), "-c", code], debuggee_environment())
    try:
        told = [json.loads(running.read_line()) for _ in range(4)]
        ports = {pid: one_port for pid, (one_port,) in told}
        assert len(set(ports.values())) == 4
        assert min(ports.values()) == ports[running.pid]
        for pid, port in ports.items():
            with contextlib.closing(rpyc.classic.connect("127.0.0.1", port)) as client:
                assert client.eval("__import__('os').getpid()") == pid
        assert running.stderr() == ""
    finally:
        running.kill()


# ---- A server that forks its workers -------------------------------------------------------------

#: Works as gunicorn does: the master listens, forks `workers` children, and forks a new one when
#: one ends. Each prints its servers. With argv[1], each child starts a server itself.
PREFORK = """
import json, os, signal, socket, sys, warnings
warnings.simplefilter("ignore")
import pystuck

options, own = json.loads(sys.argv[1])
server = pystuck.run_server(**options)
listener = socket.create_server(("127.0.0.1", 0))
workers = set()

def say(**what):
    os.write(1, json.dumps({"pid": os.getpid(), **what}).encode() + b"\\n")

def work():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mine = pystuck.run_server(**options) if own else pystuck._servers[-1]
    say(unix_socket=mine.unix_socket)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"%d" % os.getpid())

def fork():
    pid = os.fork()
    if pid == 0:
        work()
    workers.add(pid)

def end(*args):
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    os._exit(0)

say(host=server.host, port=server.port, unix_socket=server.unix_socket,
    service=listener.getsockname()[1])
for _ in range(2):
    fork()
signal.signal(signal.SIGTERM, end)
while True:
    pid, status = os.wait()
    workers.remove(pid)
    fork()
"""


@pytest.mark.parametrize("own", [False, True], ids=["follow_fork", "run_server-in-each"])
def test_each_of_the_workers_of_a_prefork_server_can_be_reached(
    socket_dir: Path, own: bool
) -> None:
    options = {"unix_socket": str(socket_dir / "{pid}"), "follow_fork": not own}
    argv = [python(), "-c", PREFORK, json.dumps([options, own])]
    master = Debuggee(argv, debuggee_environment())
    try:

        def next_worker() -> tuple[int, Any]:
            told = json.loads(master.read_line())
            assert told["unix_socket"] == str(socket_dir / str(told["pid"]))
            client = rpyc.classic.unix_connect(told["unix_socket"])
            assert client.eval("__import__('os').getpid()") == told["pid"]
            return told["pid"], client

        observer = rpyc.classic.unix_connect(master.unix_socket)
        workers = [next_worker() for _ in range(2)]
        for _ in range(4):  # one child ends in the middle of a request, the next child starts
            pid, client = workers.pop(0)
            blocked = rpyc.async_(client.eval("__import__('time').sleep"))(1000)
            os.kill(pid, signal.SIGTERM)
            workers.append(next_worker())
            assert is_gone(pid)
            with pytest.raises(EOFError):
                blocked.value  # noqa: B018
            assert observer.eval("__import__('os').getpid()") == master.pid
        assert [client.eval("__import__('os').getpid()") for _, client in workers] == [
            pid for pid, _ in workers
        ]
        with socket.create_connection(("127.0.0.1", master.told["service"])) as connection:
            assert int(connection.recv(100)) in [pid for pid, _ in workers]
        os.kill(master.pid, signal.SIGTERM)
        assert (master.wait(), master.stderr()) == (0, "")
    finally:
        master.kill()


# ---- Daemons -------------------------------------------------------------------------------------

#: Forks twice, closes all descriptors that it does not know, and sends its servers to argv[2].
DAEMON = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
import pystuck

follow_fork, own = json.loads(sys.argv[1])
answer = sys.argv[2]
server = pystuck.run_server(unix_socket=f"{answer}-{{pid}}", follow_fork=follow_fork)
print(json.dumps({"unix_socket": server.unix_socket}), flush=True)
sys.stdin.readline()
if os.fork():
    os._exit(0)
os.setsid()
os.closerange(3, 1000)
if os.fork():
    os._exit(0)
null = os.open("/dev/null", os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)
if own:
    os.closerange(3, 1000)
    pystuck.run_server(unix_socket=f"{answer}-{{pid}}")
mine = pystuck._servers[-1].unix_socket
fds = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
with open(answer + ".new", "w") as file:
    json.dump({"pid": os.getpid(), "unix_socket": mine, "fds": fds}, file)
os.rename(answer + ".new", answer)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("follow_fork", "own"),
    [(True, False), (False, True), (False, False)],
    ids=["follow_fork", "run_server-in-it", "neither"],
)
def test_a_daemon_has_a_server_if_it_wants_to(
    socket_dir: Path, follow_fork: bool, own: bool
) -> None:
    answer = socket_dir / "answer"
    argv = [python(), "-c", DAEMON, json.dumps([follow_fork, own]), str(answer)]
    program = Debuggee(argv, debuggee_environment())
    daemon: dict[str, Any] = {}
    try:
        client = rpyc.classic.unix_connect(program.unix_socket)
        assert client.eval("1 + 1") == 2
        program.write("daemonize\n")
        assert (program.wait(), program.stderr()) == (0, "")
        wait_until(answer.exists, "the daemon to be there")
        daemon = json.loads(answer.read_text())
        assert daemon["fds"] == ["/dev/null"] * 3
        if follow_fork or own:
            assert daemon["unix_socket"] == f"{answer}-{daemon['pid']}"
            client = rpyc.classic.unix_connect(daemon["unix_socket"])
            assert client.eval("__import__('os').getpid()") == daemon["pid"]
            client.close()
        else:
            assert not [name for name in links(daemon["pid"]) if name.startswith("socket:")]
    finally:
        program.kill()
        if daemon:
            os.kill(daemon["pid"], signal.SIGKILL)
