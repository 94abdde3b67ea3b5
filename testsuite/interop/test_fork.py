# SPDX-License-Identifier: BSD-3-Clause
"""No part of the server is in the processes that the program starts, unless it is requested."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    PATIENCE,
    SANITIZED,
    Debuggee,
    debuggee_environment,
    is_gone,
    links,
    python,
    run_python,
    starts_threads_in_a_child,
    wait_until,
)
from rawpeer import is_refused, raw_connect

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: Forks a child that lives until a byte is on stdin, and returns its pid.
FORK = """
import os
def fork():
    pid = os.fork()
    if pid == 0:
        os.read(0, 1)
        os._exit(5)
    return pid
"""


#: Without the warning of CPython >= 3.12 about a fork in a process with threads.
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


@starts_threads_in_a_child
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


#: Its child has a server. Notes what runs in the fork: imports, a method of an argument, and the
#: reading of frames, with which the parent has checked that it can read stacks.
FOLLOWED = """
import builtins, json, os, socket, sys, warnings
import pystuck
class Argument:
    def __str__(self):
        called.append("__str__")
        return "argument"
    __repr__ = __str__
def find(name, *more, found=builtins.__import__):
    called.append(name)
    return found(name, *more)
called, folder = [], sys.argv[1]
sys.argv.append(Argument())
pystuck.run_server(unix_socket=f"{folder}/{{pid}}.sock", follow_fork=True)
with socket.socket(socket.AF_UNIX) as stale:
    stale.bind(f"{folder}/999999999.sock")
os.utime(f"{folder}/999999999.sock", (0, 0))
warnings.simplefilter("ignore")
builtins.__import__ = find
sys.addaudithook(lambda event, _: event == "sys._current_frames" and called.append(event))
if os.fork() == 0:
    in_fork = list(called)
    (thread,) = pystuck.why()["threads"]
    has_file = os.path.exists(f"{folder}/{os.getpid()}.sock")
    print(json.dumps([in_fork, has_file, thread["frames"][0]["function"]]), flush=True)
    os._exit(0)
os.wait()
"""


@starts_threads_in_a_child
def test_a_followed_fork_runs_no_code_of_the_program(socket_dir: Path) -> None:
    assert run_python(FOLLOWED, str(socket_dir)) == [[], True, "<module>"]


#: Starts as many threads as there are clients. Some get the idents of threads that served them.
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


@starts_threads_in_a_child
def test_the_threads_of_a_forked_child_are_not_taken_for_threads_of_the_server(
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
    # The main thread blocks in a write to a full pipe, and holds the lock of stdout.
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


# ---- With busy clients ---------------------------------------------------------------------------

#: Forks from `threads` threads at once, `times` times each. Each child looks for sockets, and for a
#: lock of Python that is held for ever, and exits with 7.
FORK_OFTEN = """
import json, logging, os, sys, threading, warnings
warnings.simplefilter("ignore")
import pystuck

def sockets():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink("/proc/self/fd/" + fd))
        except OSError:
            pass
    return [name for name in found if name.startswith("socket:")]

def child():
    if sockets() or threading.active_count() != 1 or pystuck._pystuck.own_threads():
        os._exit(1)
    import wave  # takes the import lock
    threading.Thread(target=int).start()
    os._exit(7)

def fork_often(times):
    for _ in range(times):
        pid = os.fork()
        if pid == 0:
            child()
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

statuses = []
server = pystuck.run_server(port=0)
print(json.dumps({"host": server.host, "port": server.port}), flush=True)
for line in sys.stdin:
    statuses.clear()
    threads, times = json.loads(line)
    if threads == 0:
        fork_often(times)
    others = [threading.Thread(target=fork_often, args=(times,)) for _ in range(threads)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    print(json.dumps(statuses), flush=True)
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' own locks are not all made anew in a child")
@pytest.mark.parametrize("threads", [0, 4], ids=["main-thread", "other-threads"])
@pytest.mark.rotates(2)
def test_forks_while_clients_are_busy_hurt_neither_side(connect: Connect, threads: int) -> None:
    debuggee = Debuggee([python(), "-c", FORK_OFTEN], debuggee_environment())
    over, failures = threading.Event(), []

    def work(client: Any) -> None:
        """Both sides send all the time, and objects of the client are created and deleted."""
        call = client.eval("lambda f, n: [f(n), [n]][0]")
        n = 0
        while not over.is_set():
            n += 1
            try:
                assert call(lambda m: [m], n)[0] == n
            except BaseException as error:
                failures.append(error)
                return

    clients = [connect(debuggee) for _ in range(8)]
    workers = [threading.Thread(target=work, args=(client,)) for client in clients]
    try:
        for worker in workers:
            worker.start()
        debuggee.write(json.dumps([threads, 40 // (threads or 1)]) + "\n")
        statuses = json.loads(debuggee.read_line(4 * PATIENCE))
        over.set()
        for worker in workers:
            worker.join(PATIENCE)
        assert statuses == [7] * 40
        assert failures == []
        assert all(client.eval("1 + 1") == 2 for client in clients)
        debuggee.popen.stdin.close()
        assert (debuggee.wait(), debuggee.stderr()) == (0, "")
    finally:
        over.set()
        debuggee.kill()


def test_a_fork_by_c_code_keeps_nothing_of_the_server(
    start_debuggee: Start, connect: Connect
) -> None:
    """Python's fork hooks do not run. The child lives until a byte is on its stdin."""
    code = (
        "import ctypes; libc = ctypes.PyDLL(None)\n"
        "pid = libc.fork()\n"
        "if pid == 0:\n"
        "    libc.read(0, ctypes.create_string_buffer(2), 2)\n"
        "    libc._exit(5)\n"
        "print(pid, flush=True)\n"
        "import os; print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code))
    clients = [connect(debuggee) for _ in range(5)]
    held = [client.eval("[1]") for client in clients]
    debuggee.write("fork\n")
    child = int(debuggee.read_line())
    wait_until(
        lambda: not any(name.startswith("socket:") for name in links(child)),
        "the child to close what is not its own",
    )
    assert [one[0] for one in held] == [1] * 5
    debuggee.write("x\n")
    assert debuggee.read_line() == "5"
    assert connect(debuggee).eval("1 + 1") == 2
