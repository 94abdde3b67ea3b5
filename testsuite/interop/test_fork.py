# SPDX-License-Identifier: BSD-3-Clause
"""Processes that the program starts: no part of the server is in them, unless that is asked for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    Running,
    debuggee_environment,
    is_gone,
    links,
    python,
    run_python,
    wait_until,
)
from rawpeer import is_refused, raw_connect

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: Forks a child that stays until there is a byte on stdin, and returns its pid.
FORK = """
import os
def fork():
    pid = os.fork()
    if pid == 0:
        os.read(0, 1)
        os._exit(5)
    return pid
"""


#: Without what CPython >= 3.12 says about a fork in a process with threads.
QUIET = "import warnings; warnings.simplefilter('ignore')\n"


def test_a_fork_of_the_program_keeps_neither_the_port_nor_the_client(
    start_debuggee: Start,
) -> None:
    fork_when_told = QUIET + FORK + "child = fork(); print(child, flush=True); os.waitpid(child, 0)"
    debuggee = start_debuggee("plain.py", arguments=("", fork_when_told))
    with raw_connect(debuggee) as peer:
        assert peer.works()
        debuggee.write("fork\n")
        child = int(debuggee.read_line())
        assert peer.works()
        wait_until(
            lambda: not any(name.startswith("socket:") for name in links(child)),
            "the child to close what is not its own",
        )
        os.kill(debuggee.pid, signal.SIGKILL)
        assert peer.is_closed()
        wait_until(lambda: is_refused(debuggee), "the port to be free")
    assert not is_gone(child)
    debuggee.ended = True


@pytest.mark.parametrize("ending", ["os._exit(5)", "sys.exit(5)", "raise SystemExit(5)"])
def test_a_forked_child_ends_as_it_wants_to(
    start_debuggee: Start, connect: Connect, ending: str
) -> None:
    code = (
        f"{QUIET}import os; pid = os.fork()\n"
        f"if pid == 0: {ending}\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "print(os.WEXITSTATUS(status), os.WIFEXITED(status), flush=True)\n"
        "sys.stdin.readline()"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code))
    client = connect(debuggee)
    held = client.eval("[1]")
    debuggee.write("fork\n")
    assert debuggee.read_line() == "5 True"
    assert held[0] == 1
    assert connect(debuggee).eval("2") == 2


def test_a_forked_child_can_have_a_server_of_its_own(
    start_debuggee: Start, connect: Connect
) -> None:
    code = (
        f"{QUIET}import os; pid = os.fork()\n"
        "if pid == 0:\n"
        "    own = pystuck.run_server(port=0)\n"
        "    print(own.port, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code))
    parent = connect(debuggee)
    debuggee.write("fork\n")
    port = int(debuggee.read_line())
    with contextlib.closing(rpyc.classic.connect("127.0.0.1", port)) as child:
        assert child.modules.os.getppid() == debuggee.pid
        assert parent.modules.os.getpid() == debuggee.pid


#: Has as many threads as there are clients, so that some get the idents of those that served them.
CHILD_WITH_THREADS = """
import json, os, threading
from pystuck import thread_probe
pid = os.fork()
if pid == 0:
    event = threading.Event()
    for _ in range(8):
        threading.Thread(target=event.wait, daemon=True).start()
    shown = thread_probe.stacks_repr().count("<Thread(")
    os.write(1, json.dumps([shown, server.clients]).encode() + b"\\n")
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_the_threads_of_a_forked_child_are_not_taken_for_ours(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", QUIET + CHILD_WITH_THREADS))
    clients = [connect(debuggee) for _ in range(8)]
    assert [client.eval("1 + 1") for client in clients] == [2] * 8
    debuggee.write("fork\n")
    assert json.loads(debuggee.read_line()) == [8, 0]


def test_a_request_that_forks_is_answered_once_and_its_child_ends(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=(QUIET,))
    client = connect(debuggee)
    held = client.eval("[1]")
    pid = client.eval("__import__('os').fork()")
    assert pid > 0
    wait_until(lambda: is_gone(pid), "the child to end")
    assert held[0] == 1
    client.ping()
    assert client.modules.os.waitpid(pid, 0)[0] == pid
    assert connect(debuggee).eval("1+1") == 2


def test_a_child_that_a_request_forked_prints_nothing(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=(QUIET,))
    client = connect(debuggee)
    client.execute("import os, sys; sys.stdout.write('not flushed\\n')")
    pid = client.eval("os.fork()")
    wait_until(lambda: is_gone(pid), "the child to end")
    debuggee.write("go on\n")
    debuggee.ended = True
    assert debuggee.read_rest() == "not flushed\nwent on\n"
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_a_child_that_a_request_forked_ends_whatever_is_locked(
    start_debuggee: Start, connect: Connect
) -> None:
    # The main thread hangs in a write to a full pipe, and holds the lock of stdout meanwhile.
    size = 1_000_000
    debuggee = start_debuggee("plain.py", arguments=(QUIET, f"sys.stdout.write('x' * {size})"))
    client = connect(debuggee)
    client.execute("import fcntl, os, struct, termios")
    debuggee.write("write it\n")
    waiting = "struct.unpack('i', fcntl.ioctl(1, termios.FIONREAD, bytes(4)))[0]"
    wait_until(lambda: client.eval(waiting) > 60_000, "the pipe to be full")
    pid = client.eval("os.fork()")
    wait_until(lambda: is_gone(pid), "the child to end")
    debuggee.ended = True
    assert debuggee.read_rest() == "x" * size + "went on\n"
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_a_request_can_start_processes_in_all_the_usual_ways(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    assert client.modules.os.system("exit 3") == 3 << 8
    assert client.modules.subprocess.check_output(("echo", "x")) == b"x\n"
    with client.modules.os.popen("echo y") as pipe:
        assert pipe.read() == "y\n"


#: Prints what the descriptors are that a process was started with.
LIST_DESCRIPTORS = """
import contextlib, json, os
names = []
for number in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError):
        names.append(os.readlink("/proc/self/fd/" + number))
print(json.dumps(names))
"""


def test_a_process_that_the_program_starts_has_no_descriptor_of_ours(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    code = "import subprocess; subprocess.call([sys.executable, '-c', program], close_fds=False)"
    debuggee = start_debuggee(
        "plain.py",
        arguments=(f"program = {LIST_DESCRIPTORS!r}", code),
        unix_socket=str(socket_dir / "s"),
    )
    connect(debuggee).ping()
    debuggee.write("start it\n")
    names = json.loads(debuggee.read_line())
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []


def test_a_process_that_a_request_starts_has_no_descriptor_of_ours(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    client.namespace["program"] = LIST_DESCRIPTORS
    client.execute("import subprocess, sys")
    output = client.eval(
        "subprocess.check_output([sys.executable, '-c', program], close_fds=False)"
    )
    names = json.loads(output)
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []


def test_all_descriptors_of_ours_are_closed_on_exec(stuck: Debuggee, connect: Connect) -> None:
    connect(stuck).ping()
    ours = [number for number in stuck.descriptors() if number > 2]
    assert ours
    for number in ours:
        info = Path(f"/proc/{stuck.pid}/fdinfo/{number}").read_text()
        assert int(info.partition("flags:")[2].split()[0], 8) & os.O_CLOEXEC


# ---- Children that serve -------------------------------------------------------------------------

FORKS = """
import json, os, sys, time
import pystuck

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
    """The program, and what its two processes say."""
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
