# SPDX-License-Identifier: BSD-3-Clause
"""run_server: its arguments, its errors, and what the debuggee notices of it: nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import Debuggee, debuggee_environment, python, run_python, wait_until
from rawpeer import ENVELOPES, Handler, box, connect_socket, raw_connect

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: Calls run_server with the arguments in argv[1] and prints the exception that comes of it.
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
    """What `run_server` answers, in a process of its own."""
    return run_python(ATTEMPT, json.dumps(arguments))


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


# ---- Where it listens ----------------------------------------------------------------------------


def test_a_port_in_use_is_an_oserror_with_the_errno_of_bind(taken_port: int) -> None:
    answer = attempt(port=taken_port)
    assert "OSError" in answer["classes"]
    assert answer["errno"] == errno.EADDRINUSE
    assert str(taken_port) in answer["text"]


def test_a_port_of_the_kernels_choice_is_told(stuck: Debuggee) -> None:
    assert stuck.host == "127.0.0.1"
    assert stuck.port
    connect_socket(stuck).close()


def test_the_default_port_is_6666() -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # where somebody else has it, that serves as well
            stack.enter_context(socket.create_server(("127.0.0.1", 6666)))
        answer = attempt()
    assert answer["errno"] == errno.EADDRINUSE
    assert "6666" in answer["text"]


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "0.0.0.0", "", "::", "224.0.0.1", "2001:db8::1", "::ffff:192.0.2.1"]
)
def test_an_address_that_is_not_of_this_machine_alone_is_a_value_error(host: str) -> None:
    answer = attempt(host=host, port=0)
    assert answer["classes"] is not None
    assert "ValueError" in answer["classes"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost"])
def test_every_loopback_address_is_good(host: str, start_debuggee: Start, connect: Connect) -> None:
    debuggee = start_debuggee(host=host)
    assert connect(debuggee).eval("1+1") == 2


def test_ipv6_loopback_is_good(start_debuggee: Start, connect: Connect, ipv6: None) -> None:
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
def test_an_argument_that_makes_no_sense(name: str, value: Any, classes: set[str]) -> None:
    answer = attempt(**{"port": 0, name: value})
    assert answer["classes"] is not None
    assert classes & set(answer["classes"])


def test_the_server_accepts_when_run_server_returns() -> None:
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
def test_a_unix_socket_is_for_its_owner_alone(socket_dir: Path, umask: int) -> None:
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


def test_a_unix_socket_in_a_directory_that_is_not_there(socket_dir: Path) -> None:
    answer = attempt(unix_socket=str(socket_dir / "missing" / "s"))
    assert "FileNotFoundError" in answer["classes"]
    assert answer["errno"] == errno.ENOENT
    assert "missing" in answer["text"]


def test_a_unix_socket_whose_name_is_too_long(socket_dir: Path) -> None:
    answer = attempt(unix_socket=str(socket_dir / ("x" * 200)))
    assert {"OSError", "ValueError"} & set(answer["classes"])


def test_a_unix_socket_where_there_is_a_file(socket_dir: Path) -> None:
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


def test_a_unix_socket_that_somebody_left_behind_is_replaced(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    path = socket_dir / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
    debuggee = start_debuggee(unix_socket=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert connect(debuggee).eval("1+1") == 2


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


def test_close_does_not_remove_the_socket_of_somebody_else(socket_dir: Path) -> None:
    path = socket_dir / "s"
    answer = run_python(
        "import json, os, socket, sys, pystuck\n"
        "server = pystuck.run_server(unix_socket=sys.argv[1])\n"
        "os.unlink(sys.argv[1])\n"
        "other = socket.socket(socket.AF_UNIX); other.bind(sys.argv[1]); other.listen()\n"
        "server.close()\n"
        "print(json.dumps(os.path.exists(sys.argv[1])))\n",
        str(path),
    )
    assert answer is True


# ---- The handle ----------------------------------------------------------------------------------


def test_two_servers_serve_side_by_side(start_debuggee: Start, connect: Connect) -> None:
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


def test_close_ends_the_port_and_the_connections(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", "server.close(); sys.stdin.readline()"))
    threads = len(debuggee.threads())
    with raw_connect(debuggee) as peer:
        assert peer.works()
        debuggee.write("close\n")
        assert peer.answer() is None
    wait_until(lambda: is_refused(debuggee), "the port to be closed")
    wait_until(lambda: len(debuggee.threads()) < threads, "the listener to end")


def test_close_can_be_called_twice_and_by_the_client_itself(
    start_debuggee: Start, connect: Connect
) -> None:
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
        "print(json.dumps(again.port == port))\n"
    )
    assert answer is True


def test_the_server_goes_on_when_nobody_keeps_its_handle(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("del server; __import__('gc').collect()",))
    assert connect(debuggee).eval("1+1") == 2


# ---- Its end -------------------------------------------------------------------------------------

#: What a client may be doing while the program ends.
BUSY = {
    "sleeping": "__import__('time').sleep(1000)",
    "computing": "sum(x for x in iter(int, 1))",
    "waiting for a lock": "(lambda l: (l.acquire(), l.acquire()))(__import__('threading').Lock())",
    "reading": "__import__('os').read(__import__('os').pipe()[0], 1)",
}


def test_the_program_ends_at_its_end_with_a_client_connected(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py")
    client = connect(debuggee)
    held = client.eval("[1]")
    started = time.monotonic()
    debuggee.end_well()
    assert time.monotonic() - started < 5
    with pytest.raises((EOFError, ConnectionError)):
        held[0]


@pytest.mark.parametrize("text", BUSY.values(), ids=BUSY.keys())
def test_the_program_ends_at_its_end_in_the_middle_of_a_request(
    start_debuggee: Start, text: str
) -> None:
    debuggee = start_debuggee("plain.py")
    with raw_connect(debuggee) as peer, raw_connect(debuggee) as other:
        root = peer.root()
        peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        # The main thread, this request, and that one.
        frames = "len(__import__('sys')._current_frames())"
        wait_until(lambda: other.eval(frames) == 3, "the request to be served")
        debuggee.end_well()
        assert peer.answer() is None


def test_the_program_ends_at_its_end_while_it_waits_for_a_client(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py")
    with raw_connect(debuggee) as peer:
        function = peer.eval("lambda f: f()")
        callback = (4, ("some.function", 1, 2))
        boxed = (2, (box(function), (2, (callback,)), box(())))
        peer.send(peer.request_frame(Handler.CALL, boxed))
        peer.answer_inspect(("__call__", None))
        assert peer.receive() is not None
        debuggee.end_well()
        while peer.receive() is not None:
            pass


@pytest.mark.parametrize("ending", ["sys.exit(7)", "import os; os._exit(7)"])
def test_the_exit_status_is_the_programs_own(
    start_debuggee: Start, connect: Connect, ending: str
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", ending))
    assert connect(debuggee).eval("1+1") == 2
    debuggee.ended = True
    debuggee.write("go on\n")
    assert debuggee.wait() == 7
    assert debuggee.stderr() == ""


def test_a_program_that_hangs_in_atexit_can_still_be_asked(
    start_debuggee: Start, connect: Connect
) -> None:
    hang = "import atexit; atexit.register(sys.stdin.readline)"
    debuggee = start_debuggee("plain.py", arguments=(hang,))
    client = connect(debuggee)
    debuggee.write("go to the end\n")
    assert debuggee.read_line() == "went on"
    assert client.eval("1+1") == 2
    assert connect(debuggee).eval("1+1") == 2
    debuggee.ended = True
    debuggee.write("end\n")
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


# ---- Fork ----------------------------------------------------------------------------------------

#: Forks a child that stays until there is a byte in the pipe `stay`, and prints its pid.
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


def is_gone(pid: int) -> bool:
    """Whether a process has ended, whoever has to wait for it."""
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


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


def is_refused(debuggee: Debuggee) -> bool:
    """Whether nobody listens any more."""
    try:
        connect_socket(debuggee).close()
    except ConnectionRefusedError:
        return True
    return False


def links(pid: int) -> list[str]:
    """What the descriptors of a process are."""
    fds = Path("/proc") / str(pid) / "fd"
    return [os.readlink(fds / name) for name in os.listdir(fds)]


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


# ---- Signals and threads -------------------------------------------------------------------------


#: Waits for a SIGINT. Many short sleeps: one that begins when the signal has just come is not
#: interrupted by it, in any Python program.
WAIT_FOR_SIGINT = """
import time
try:
    print("waiting", flush=True)
    while True:
        time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
"""


def test_sigint_interrupts_the_main_thread_as_usual(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", WAIT_FOR_SIGINT))
    client = connect(debuggee)
    held = client.eval("[1]")
    debuggee.write("wait\n")
    assert debuggee.read_line() == "waiting"
    os.kill(debuggee.pid, signal.SIGINT)
    assert debuggee.read_line() == "interrupted"
    assert held[0] == 1


@pytest.mark.parametrize("text", [BUSY["sleeping"], BUSY["computing"]], ids=["sleeping", "busy"])
def test_sigint_interrupts_the_main_thread_within_a_request(
    start_debuggee: Start, text: str
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", WAIT_FOR_SIGINT))
    with raw_connect(debuggee) as peer:
        root = peer.root()
        peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        debuggee.write("wait\n")
        assert debuggee.read_line() == "waiting"
        os.kill(debuggee.pid, signal.SIGINT)
        assert debuggee.read_line() == "interrupted"


def test_a_signal_ends_the_program_as_usual(start_debuggee: Start, connect: Connect) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
        debuggee = start_debuggee()
        connect(debuggee)
        os.kill(debuggee.pid, number)
        debuggee.ended = True
        assert debuggee.wait() == -number
        assert debuggee.stderr() == ""


def test_signal_handlers_run_while_a_client_is_connected(
    start_debuggee: Start, connect: Connect
) -> None:
    code = (
        "import signal, threading\n"
        "def handler(number, frame):\n"
        "    print('got', number, threading.current_thread().name, flush=True)\n"
        "for n in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD): signal.signal(n, handler)\n"
    )
    debuggee = start_debuggee("plain.py", arguments=(code,))
    client = connect(debuggee)
    for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD):
        os.kill(debuggee.pid, number)
        assert debuggee.read_line() == f"got {int(number)} MainThread"
        assert client.eval("1+1") == 2


def test_our_threads_leave_all_signals_to_the_program(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    client.ping()
    client.execute("import threading")
    ours = stuck.threads() - set(
        client.eval("tuple(thread.native_id for thread in threading.enumerate())")
    )
    assert ours
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
    expected = set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP} - faults

    def blocked(thread: int) -> set[int]:
        status = Path(f"/proc/{stuck.pid}/task/{thread}/status").read_text()
        mask = int(status.partition("SigBlk:")[2].split()[0], 16)
        return {number for number in range(1, 32) if mask >> (number - 1) & 1}

    # Right after a request, a session may still be on its way to that.
    wait_until(lambda: all(blocked(thread) == expected for thread in ours), "signals to be blocked")


def test_python_sees_no_thread_of_ours(start_debuggee: Start, connect: Connect) -> None:
    watch = "import threading; print(threading.active_count(), flush=True)"
    debuggee = start_debuggee("plain.py", arguments=("", watch))
    clients = [connect(debuggee) for _ in range(5)]
    for client in clients:
        client.eval("__import__('threading').current_thread()")
        assert client.eval("__import__('threading').active_count()") == 1
    assert len(debuggee.threads()) >= 2
    debuggee.write("count\n")
    assert debuggee.read_line() == "1"


REFERENCES = """
import sys
class Thing:
    def __init__(self): self.x = self
    def call(self, *args, **kwargs): return self
    def fail(self): raise ValueError(self)
thing, key = Thing(), "a key that is not interned \u2603"
def references():
    return sys.getrefcount(thing), sys.getrefcount(key), sys.getrefcount(Thing)
"""


def test_requests_keep_no_references(stuck: Debuggee, connect: Connect) -> None:
    observer = connect(stuck)
    observer.execute("import __main__ as ns\n" + REFERENCES + "ns.thing, ns.key = thing, key")
    before = tuple(observer.eval("references()"))
    client = connect(stuck)
    client.execute("import __main__ as ns")
    for _ in range(20):
        thing = client.eval("ns.thing")
        assert thing.x is thing
        assert thing.call(thing, (thing,), k=thing) is thing
        client.namespace["thing"] = thing
        assert client.eval("ns.key") in client.eval("{ns.key: 1}")
        with pytest.raises(ValueError, match="Thing"):
            thing.fail()
        with pytest.raises(AttributeError):
            thing.no_such_thing(thing)
        assert "Thing" in repr(thing) + str(thing)
        assert thing == thing  # noqa: PLR0124
        assert hash(thing)
        assert "call" in dir(thing)
        assert client.eval("(ns.thing, [ns.thing])")[0] is thing
    client.close()
    del thing
    wait_until(lambda: tuple(observer.eval("references()")) == before, "references to be dropped")


def test_memory_of_requests_is_given_back(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    length = client.eval("len")
    data = bytes(5_000_000)

    def work(times: int) -> None:
        for _ in range(times):
            assert length(data) == len(data)
            assert len(client.eval("bytes(5_000_000)")) == len(data)
            assert len(client.eval("[bytes(5_000_000)]")) == 1

    work(5)
    before = stuck.rss()
    work(30)
    assert stuck.rss() - before < 30_000_000


def test_nothing_happens_while_nobody_is_connected(stuck: Debuggee, connect: Connect) -> None:
    connect(stuck).close()

    def switches() -> list[str]:
        found = []
        for thread in sorted(stuck.threads()):
            status = Path(f"/proc/{stuck.pid}/task/{thread}/status").read_text()
            found.append(status.partition("voluntary_ctxt_switches:")[2])
        return found

    def is_quiet() -> bool:
        # This sleep is what is measured, not a wait for something.
        before = switches()
        time.sleep(0.3)
        return switches() == before

    wait_until(is_quiet, "the server to be idle")


def cpu_seconds(pid: int) -> float:
    """What a process has computed up to now."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_program_without_free_descriptors_is_left_in_peace(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    client.execute(
        "import os, resource\n"
        "limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "fd = os.dup(0); os.close(fd)\n"  # the lowest that is free
        "def limit(): resource.setrlimit(resource.RLIMIT_NOFILE, (fd, limits[1]))\n"
        "def unlimit(): resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n"
    )
    unlimit = client.namespace["unlimit"]
    client.eval("limit()")
    with pytest.raises(OSError, match="Too many open files"):
        client.eval("os.dup(0)")
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(raw_connect(stuck)) for _ in range(3)]
        before = cpu_seconds(stuck.pid)
        # This sleep is what is measured, not a wait for something.
        time.sleep(0.5)
        assert cpu_seconds(stuck.pid) - before < 0.1
        assert client.eval("1+1") == 2
        unlimit()
        for peer in waiting:
            if not peer.works():  # hung up on: that is good, too
                break
        assert connect(stuck).eval("1+1") == 2


def test_importing_pystuck_starts_nothing() -> None:
    answer = run_python(
        "import json, os, sys, threading\n"
        "modules = set(sys.modules)\n"
        "import pystuck\n"
        "print(json.dumps([len(os.listdir('/proc/self/task')), threading.active_count()]))\n"
    )
    assert answer == [1, 1]


def test_run_server_does_without_rpyc_in_the_debuggee(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    assert client.eval("'rpyc' in __import__('sys').modules") is False


def test_the_interpreter_can_be_one_that_ignores_its_environment() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); import pystuck\n"
        "print(pystuck.run_server(port=0).port > 0)"
    )
    environment = debuggee_environment()
    path = environment.pop("PYTHONPATH")
    done = subprocess.run(
        [python(), "-I", "-S", "-X", "dev", "-W", "error", "-c", code, path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")
