# SPDX-License-Identifier: BSD-3-Clause
"""Threads that wait in system calls.

Prints as JSON the port of its server, if the second argument is "server", and the facts about each
call: descriptor and target. A thread computes from one line of standard input to the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

expected: dict[str, dict[str, Any]] = {}


def start(name: str, facts: dict[str, Any], call: Callable[..., Any], *arguments: Any) -> None:
    """Starts a thread that waits in this call."""
    expected[name] = facts
    threading.Thread(target=call, args=arguments, name=name, daemon=True).start()


def address(pair: tuple[str, int]) -> str:
    """An address as pystuck(1) writes it."""
    return f"{pair[0]}:{pair[1]}"


#: Holds both locks of a file until its standard input is closed.
LOCKER = """
import fcntl, sys
first, second = (open(path, "w") for path in sys.argv[1:])
fcntl.flock(first, fcntl.LOCK_EX)
fcntl.lockf(second, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""

own = os.getpid()
folder, collector = sys.argv[1:]
port = None
if collector == "server":
    import pystuck

    port = pystuck.run_server(port=0).port
tcp = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(tcp.getsockname())
server, _ = tcp.accept()
connection = {
    "kind": "tcp",
    "local": address(client.getsockname()),
    "remote": address(client.getpeername()),
    "tcp_state": "ESTABLISHED",
    "peer_pid": own,
}
start("recv", {"fd": client.fileno(), "target": connection}, client.recv, 1)
listens = {"kind": "tcp", "local": address(tcp.getsockname()), "tcp_state": "LISTEN"}
start("accept", {"fd": tcp.fileno(), "target": listens}, tcp.accept)

full = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = [socket.socket() for _ in range(3)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(full.getsockname())
caller = socket.socket()
calls = {"kind": "tcp", "remote": address(full.getsockname()), "tcp_state": "SYN_SENT"}
start("connect", {"fd": caller.fileno(), "target": calls}, caller.connect, full.getsockname())

near, far = socket.socketpair()
to_itself = {"kind": "unix", "peer_pid": own}
start("unix", {"fd": near.fileno(), "target": to_itself}, near.recv, 1)

paths = [folder + "/first", folder + "/second"]
locker = subprocess.Popen(
    [sys.executable, "-c", LOCKER, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
locker.stdout.readline()
output = locker.stdout.fileno()
from_locker = {"kind": "pipe", "peer_pid": locker.pid}
fifo = folder + "/fifo"
os.mkfifo(fifo)
start("open", {"fd": None, "target": {"kind": "file", "path": fifo}}, open, fifo)
start("pipe", {"fd": output, "target": from_locker}, os.read, output, 1)
first, second = (open(path, "w") for path in paths)
held = {"kind": "file", "peer_pid": locker.pid}
start(
    "flock",
    {"fd": first.fileno(), "target": held | {"path": paths[0]}},
    fcntl.flock,
    first,
    fcntl.LOCK_EX,
)
start(
    "lockf",
    {"fd": second.fileno(), "target": held | {"path": paths[1]}},
    fcntl.lockf,
    second,
    fcntl.LOCK_EX,
)
start("wait", {"target": {"kind": "process", "peer_pid": locker.pid}}, locker.wait)

one, several = select.poll(), select.poll()
one.register(far, select.POLLIN)
several.register(far, select.POLLIN)
several.register(output, select.POLLIN | select.POLLPRI)
watched_far = {"fd": far.fileno(), "events": "input", "target": to_itself}
watched_output = {"fd": output, "events": "input", "target": from_locker}
start(
    "poll",
    {"fd": far.fileno(), "target": to_itself, "watched": [watched_far]},
    one.poll,
)
start("poll several", {"fd": None, "watched": [watched_far, watched_output]}, several.poll)
start(
    "select",
    {"fd": far.fileno(), "target": to_itself, "watched": [watched_far]},
    select.select,
    [far],
    [],
    [],
)
epoll = select.epoll()
epoll.register(far, select.EPOLLIN)
start(
    "epoll",
    {"fd": epoll.fileno(), "target": {"kind": "epoll"}, "watched": [watched_far]},
    epoll.poll,
)
start("sleep", {}, time.sleep, 100000)
print(json.dumps([port, expected]), flush=True)


def compute() -> None:
    """Computes until it is stopped."""
    while computes:
        pass


while sys.stdin.readline():
    computes = True
    threading.Thread(target=compute, daemon=True).start()
    sys.stdin.readline()
    computes = False
