# SPDX-License-Identifier: BSD-3-Clause
"""The messages of pystuck(1) if it cannot connect. Each message has a test."""

from __future__ import annotations

import contextlib
import ctypes
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Files
from harness import (
    PATIENCE,
    PROGRAMS,
    STRANGER,
    Debuggee,
    Running,
    as_user,
    build_setting,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    pystuck,
    python,
    wait_until,
)
from rawpeer import playing, raw_connect
from test_authenticators import environment, needs_tls, server_files

Done = subprocess.CompletedProcess
Start = Callable[..., Debuggee]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


def assert_says(done: Done[str], status: int, sentence: str) -> None:
    """Checks that this sentence is on stderr and nothing else."""
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"pystuck: {sentence}\n")


# ---- No server -----------------------------------------------------------------------------------

SEE_LIST = "run pystuck --list to see the servers of this machine"


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")]
)
def test_nothing_listens(host: str, shown: str, ipv6: None, free_port: int) -> None:
    advice = "run pystuck --list on that machine to see its servers"
    assert_says(pystuck(host, free_port), 2, f"nothing listens on {shown}:{free_port}: {advice}")


def test_no_such_socket(socket_dir: Path) -> None:
    for path in (socket_dir / "none", socket_dir / "none" / "s"):
        assert_says(pystuck("--unix-socket", path), 2, f"there is no socket {path}: {SEE_LIST}")


def test_a_socket_whose_program_has_ended(socket_dir: Path) -> None:
    path = socket_dir / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    sentence = f"nothing listens on {path}: the program that created this socket has ended"
    assert_says(pystuck("--unix-socket", path), 2, sentence)


def test_a_file_that_is_not_a_socket(socket_dir: Path) -> None:
    path = socket_dir / "s"
    path.write_text("")
    assert_says(pystuck("--unix-socket", path), 2, f"{path} is not a socket")


def test_a_socket_for_datagrams(socket_dir: Path) -> None:
    path = socket_dir / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sentence = f"{path} is not a stream socket, so it is not a pystuck server"
        assert_says(pystuck("--unix-socket", path), 2, sentence)


def test_an_abstract_name_that_is_not_used() -> None:
    assert_says(pystuck("--unix-socket", "@unused"), 2, f"nothing listens on @unused: {SEE_LIST}")


def test_an_unknown_host_name() -> None:
    done = pystuck("no-such-host.invalid", 6666)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("pystuck: cannot connect to no-such-host.invalid:6666: ")


def test_a_host_without_a_route() -> None:
    # Runs in a network namespace in which the loopback interface is down.
    prefix = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces can be made here")
    done = pystuck("127.0.0.1", prefix=prefix)
    sentence = "cannot reach 127.0.0.1:6666: Network is unreachable"
    assert_says(done, 2, sentence)


# ---- Who may connect -----------------------------------------------------------------------------

OTHER_USER = 65532


def may_not(where: str, owner: str, us: int) -> str:
    """The message to a user who may not connect."""
    who = f"only the program's user ({owner}) and root may connect, and you are user {us}"
    return f"{where} closed the connection: {who}"


@needs_root
@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_the_message_to_a_refused_user_names_who_may_connect(
    start_debuggee: Start, host: str, shown: str, ipv6: None
) -> None:
    debuggee = start_debuggee(host=host)
    done = as_user(STRANGER, lambda: pystuck(host, debuggee.port))
    assert_says(done, 1, may_not(f"{shown}:{debuggee.port}", "root", STRANGER))


def assert_says_who_may(debuggee: Debuggee) -> None:
    """Checks the message for OTHER_USER at a server of STRANGER: it names who may connect.

    It may begin with a line that names the server's user. This line is missing if the server closes
    the connection before the client has found out the user.
    """
    where = f"127.0.0.1:{debuggee.port}"
    done = as_user(OTHER_USER, lambda: pystuck(where))
    done.stderr = done.stderr.replace(f"pystuck: {where} is a server of uid {STRANGER}\n", "")
    assert_says(done, 1, may_not(where, f"user {STRANGER}", OTHER_USER))


@needs_root
def test_the_message_to_a_refused_user_names_a_user_who_is_not_root(start_debuggee: Start) -> None:
    assert_says_who_may(start_debuggee(arguments=(str(STRANGER),)))


@needs_root
def test_the_message_names_the_user_that_the_program_has_become_later(
    start_debuggee: Start,
) -> None:
    code = f"import os; os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})"
    assert_says_who_may(start_debuggee("plain.py", arguments=(code,)))


@needs_root
@pytest.mark.parametrize("name", ["s", "@"])
def test_the_message_to_a_user_refused_at_a_unix_socket_names_who_may_connect(
    start_debuggee: Start, socket_dir: Path, name: str
) -> None:
    path = f"@pystuck test {os.getpid()}" if name == "@" else str(socket_dir / name)
    debuggee = start_debuggee(unix_socket=path)
    if name != "@":
        os.chmod(path, 0o666)
    done = as_user(STRANGER, lambda: pystuck("--unix-socket", debuggee.unix_socket))
    assert_says(done, 1, may_not(path, "root", STRANGER))


@needs_root
def test_a_unix_socket_whose_mode_does_not_allow_the_connection(
    start_debuggee: Start, socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    start_debuggee(unix_socket=path)
    who = f"only the program's user (root) and root may connect, and you are user {STRANGER}"
    done = as_user(STRANGER, lambda: pystuck("--unix-socket", path))
    assert_says(done, 1, f"{path}: {who}")


@needs_root
def test_a_unix_socket_in_a_directory_without_permission(
    start_debuggee: Start, socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    start_debuggee(unix_socket=path)
    os.chmod(socket_dir, 0o700)
    done = as_user(STRANGER, lambda: pystuck("--unix-socket", path))
    assert_says(done, 1, f"{path}: permission denied for user {STRANGER}")


@needs_root
def test_a_refused_user_does_not_affect_the_server(start_debuggee: Start) -> None:
    debuggee = start_debuggee()
    before = debuggee.holdings()
    done = as_user(STRANGER, lambda: pystuck("127.0.0.1", debuggee.port))
    assert done.returncode == 1
    debuggee.wait_until_back_to(before)
    assert pystuck("--no-ipython", "127.0.0.1", debuggee.port).returncode == 0


def test_a_server_whose_authenticator_refuses() -> None:
    debuggee = Debuggee(command("authenticated.py", '{"password": "xyz"}'), environment())
    try:
        done = pystuck("127.0.0.1", debuggee.port)
        assert done.returncode == 1
        where = f"127.0.0.1:{debuggee.port}"
        start = f"pystuck: {where} closed the connection: process {debuggee.pid} ("
        assert done.stderr.startswith(start)
        end = ") has too many clients, or has groups or capabilities that you lack, or the "
        end += "server's authenticator refused you\n"
        assert done.stderr.endswith(end)
    finally:
        debuggee.kill()


def test_a_server_that_has_too_many_clients(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py")
    with contextlib.ExitStack() as stack:
        for _ in range(128):
            assert stack.enter_context(raw_connect(debuggee)).works()
        done = pystuck("127.0.0.1", debuggee.port)
        assert done.returncode == 1
        assert f"process {debuggee.pid} (" in done.stderr
        assert "has too many clients" in done.stderr


# ---- TLS -----------------------------------------------------------------------------------------


def wants_tls(port: int | None) -> str:
    """The message about a server that requires TLS."""
    what = "with the certificate of its CA, or --ssl if this system trusts that CA"
    return f"127.0.0.1:{port} requires TLS: pass --ssl-ca FILE {what}"


def tls_works(port: int | None) -> bool:
    """True if a TLS server still serves clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port or 0), timeout=PATIENCE) as sock,
        context.wrap_socket(sock) as tls,
    ):
        return bool(tls.version())


@needs_tls
@pytest.mark.parametrize("certified", [False, True])
def test_a_tls_server_of_pystuck(files: Files, certified: bool) -> None:
    wanted = {"ssl": server_files(files, certified=certified)}
    debuggee = Debuggee(command("authenticated.py", json.dumps(wanted)), environment())
    try:
        assert_says(pystuck("127.0.0.1", debuggee.port), 1, wants_tls(debuggee.port))
        assert tls_works(debuggee.port)
    finally:
        debuggee.kill()


STOCK_TLS = """
import json, sys, threading
from rpyc.core.service import SlaveService
from rpyc.utils.authenticators import SSLAuthenticator
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(
    SlaveService, hostname="127.0.0.1", port=0, auto_register=False,
    authenticator=SSLAuthenticator(*sys.argv[1:3]),
)
threading.Thread(target=server.start, daemon=True).start()
while not server.active:
    threading.Event().wait(0.001)
print(json.dumps({"port": server.port}), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])
def test_a_stock_tls_server(files: Files, setting: str) -> None:
    argv = [sys.executable, "-c", STOCK_TLS, files.server_key, files.server_cert]
    debuggee = Debuggee(argv, environment(setting))
    try:
        assert_says(pystuck("127.0.0.1", debuggee.port), 1, wants_tls(debuggee.port))
        assert tls_works(debuggee.port)
    finally:
        debuggee.kill()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_any_tls_server(files: Files, version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_cert, files.server_key)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(100)

    with playing(serve) as port:
        assert_says(pystuck("127.0.0.1", port), 1, wants_tls(port))


# ---- Something else ------------------------------------------------------------------------------


def something_else(port: int, what: str) -> str:
    """The message about a server that is not a pystuck server."""
    return f"127.0.0.1:{port} is not a pystuck server: {what}"


class Quiet(http.server.BaseHTTPRequestHandler):
    """A web server that answers each request with an error."""

    def log_message(self, *args: object) -> None:
        """Logs nothing."""


@pytest.fixture
def web_server() -> Iterator[int]:
    """The port of a web server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_web_server(web_server: int) -> None:
    done = pystuck("127.0.0.1", web_server)
    assert_says(done, 1, something_else(web_server, "it is an HTTP server"))
    with pytest.raises(urllib.error.HTTPError, match="501"):  # the web server still works
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{web_server}/", timeout=PATIENCE
        )


def test_a_web_server_that_refuses_the_first_bytes() -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with playing(serve) as port:
        assert_says(pystuck("127.0.0.1", port), 1, something_else(port, "it is an HTTP server"))


def test_an_ssh_server() -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        sock.recv(100)

    with playing(serve) as port:
        assert_says(pystuck("127.0.0.1", port), 1, something_else(port, "it is an SSH server"))


def assert_unknown_kind(
    serve: Callable[[socket.socket], None], end: Callable[[], object] = bool
) -> None:
    """Checks what the client says of a server that does not speak RPyC, and then calls `end`."""
    with playing(serve) as port:
        sentence = something_else(port, "it does not speak RPyC")
        assert_says(pystuck("127.0.0.1", port), 1, sentence)
        end()


def nonsense_first(goes_on: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Returns a server that sends nonsense on its first connection, and then calls goes_on."""
    heard = threading.Event()

    def serve(sock: socket.socket) -> None:
        if not heard.is_set():
            heard.set()
            sock.sendall(bytes(1000))
        goes_on(sock)

    return serve


def test_a_server_of_an_unknown_kind() -> None:
    assert_unknown_kind(lambda sock: sock.sendall(b"220 mail.example.org ESMTP\r\n" * 9))


def test_a_server_that_sends_single_bytes_without_end() -> None:
    ending = threading.Event()

    def send_bytes(sock: socket.socket) -> None:
        while not ending.wait(0.05):
            sock.sendall(b"x")

    assert_unknown_kind(nonsense_first(send_bytes), ending.set)


def test_a_server_that_answers_nonsense_and_waits() -> None:
    def wait(sock: socket.socket) -> None:
        while sock.recv(1000):
            pass

    assert_unknown_kind(nonsense_first(wait))


@pytest.mark.parametrize("how", ["at once", "having heard us"])
def test_a_server_that_closes_the_connection(how: str) -> None:
    def serve(sock: socket.socket) -> None:
        if how != "at once":
            sock.recv(100)

    with playing(serve) as port:
        sentence = (
            f"127.0.0.1:{port} closed the connection: it is not a pystuck server, or only root "
            "and the server's user may connect"
        )
        assert_says(pystuck("127.0.0.1", port), 1, sentence)


@needs_root
@pytest.mark.parametrize("on_all", [False, True])
def test_a_server_of_another_user_that_closes_the_connection(on_all: bool, ipv6: None) -> None:
    with playing(lambda sock: None, on_all=on_all) as port:
        done = as_user(STRANGER, lambda: pystuck("127.0.0.1", port))
        assert_says(done, 1, may_not(f"127.0.0.1:{port}", "root", STRANGER))


# ---- No answer -----------------------------------------------------------------------------------
#
# Each client waits ten seconds for an answer. So all of them run at the same time.

HOLDS_THE_GIL = """
import ctypes
sleep = ctypes.PyDLL(None).usleep
print("holding", flush=True)
sleep(900_000_000)
"""


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The results of clients whose servers do not answer, and the addresses of these servers."""
    folder = tmp_path_factory.mktemp("s")
    with contextlib.ExitStack() as stack:

        def start(program: str, *arguments: str) -> Debuggee:
            argv = command(program, '{"port": 0}', *arguments)
            debuggee = Debuggee(argv, debuggee_environment())
            stack.callback(debuggee.kill)
            return debuggee

        stopped = start("stuck.py")
        os.kill(stopped.pid, signal.SIGSTOP)
        wait_until(lambda: stopped.status("State").startswith("T"), "it to be stopped")
        holding = start("plain.py", "", HOLDS_THE_GIL)
        holding.write("hold it\n")
        assert holding.read_line() == "holding"
        wait_until(lambda: holding.status("State").startswith("S"), "it to sleep")

        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        # Listeners whose backlog is full: TCP drops new connections, a Unix socket lets them wait.
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        stack.enter_context(socket.create_connection(full.getsockname()))
        full_unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        full_unix.bind(str(folder / "s"))
        full_unix.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(folder / "s"))

        port, full_port = silent.getsockname()[1], full.getsockname()[1]
        clients = {
            "stopped": ["127.0.0.1", stopped.port],
            "holding": ["127.0.0.1", holding.port],
            "silent": ["127.0.0.1", port],
            "full": ["127.0.0.1", full_port],
            "full unix": ["--unix-socket", folder / "s"],
        }
        running = {
            name: subprocess.Popen(
                c_program("PYSTUCK_BIN", *arguments),
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name, arguments in clients.items()
        }
        told: dict[str, Any] = {}
        for name, process in running.items():
            out, err = process.communicate(timeout=10 + PATIENCE)
            told[name] = Done(name, process.returncode, out, err)
        yield told | {
            "debuggees": (stopped, holding),
            "ports": (port, full_port),
            "path": folder / "s",
        }


FROM_OUTSIDE = "the stacks were read from outside the process"


def test_a_program_that_is_stopped(unanswered: dict[str, Any]) -> None:
    stopped, _ = unanswered["debuggees"]
    done = unanswered["stopped"]
    assert done.returncode == 0
    assert "stopped by a signal or a tracer" in done.stdout
    why, how = done.stderr.splitlines()
    assert why.startswith(f"pystuck: process {stopped.pid} (")
    assert why.endswith(f") is stopped: continue it with 'kill -CONT {stopped.pid}'")
    assert how == f"pystuck: the server of process {stopped.pid} does not answer: {FROM_OUTSIDE}"


CONNECTING = """
import json, threading, time
import pystuck, rpyc

lock = threading.Lock()

class Root(rpyc.SlaveService):
    def on_connect(self, conn):
        with lock:
            super().on_connect(conn)

lock.acquire()
server = pystuck.run_server(port=0, service_class_getter=lambda: Root)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_service_whose_on_connect_is_stuck(options: list[str]) -> None:
    path = f"{debuggee_environment()['PYTHONPATH']}:{build_setting('PYSTUCK_RPYC6')}"
    debuggee = Debuggee([python(), "-c", CONNECTING], debuggee_environment() | {"PYTHONPATH": path})
    try:
        for target in (["127.0.0.1", debuggee.port], ["--pid", debuggee.pid]):
            done = pystuck(*options, *target)
            assert done.returncode == 0
            assert "in on_connect" in done.stdout or '"on_connect"' in done.stdout
            start = f"pystuck: the server of process {debuggee.pid} does not answer: "
            assert done.stderr == f"{start}{FROM_OUTSIDE}\n"
    finally:
        debuggee.kill()


def test_a_program_that_holds_the_gil(unanswered: dict[str, Any]) -> None:
    done = unanswered["holding"]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("GIL held for at least ")


def state_of(pid: int, thread: int) -> str:
    """Returns the state of a thread, as in proc(5)."""
    return Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()[0]


#: What the main threads of programs do that look like a server and do not answer, by name. The
#: main thread of "asleep" waits in the kernel until its child has executed a program, and the
#: child waits until the file, a FIFO, has a writer.
SILENT = {
    "computing": "while True: pass",
    "waiting": "import threading; threading.Event().wait()",
    "traced": "import threading; threading.Event().wait()",
    "asleep": "os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, "
    "sys.argv[2], os.O_RDONLY, 0)])",
    "without descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\n"
    "while True:\n"
    "    try: os.open('/dev/zero', os.O_RDONLY)\n"
    "    except OSError: break\n"
    "print('used up', flush=True)\n"
    "import threading; threading.Event().wait()",
}

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


@contextlib.contextmanager
def traced(pid: int, thread: int) -> Iterator[None]:
    """Stops a thread as a debugger does, until the end of the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")
    try:
        wait_until(lambda: state_of(pid, thread) == "t", "it to stop")
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, thread, None, None)


#: What the client says about these programs.
REASONS = {
    "computing": "is very busy, or runs C code that holds the GIL (Python's global lock): "
    "thread {pid} (python",
    "waiting": "has no running thread: probably a thread that waits holds the GIL",
    "traced": "is stopped by a debugger: process {tracer} (",
    "asleep": "does not run: its main thread is in uninterruptible sleep in the kernel",
    "without descriptors": "does not accept connections (connections that wait: N): it is out of "
    "file descriptors: 32 of 32 open, most of them: ",
}


def test_the_kernel_tells_why_a_program_does_not_answer(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with contextlib.ExitStack() as stack:
        programs = {}
        for name, code in SILENT.items():
            argv = [python(), str(PROGRAMS / "silent.py"), code, str(fifo)]
            programs[name] = Running(argv, debuggee_environment())
            stack.callback(programs[name].kill)
        # The child of "asleep" ends when the FIFO has a writer.
        stack.callback(lambda: os.close(os.open(fifo, os.O_RDWR)))
        lines = {name: program.read_line().split() for name, program in programs.items()}
        assert programs["without descriptors"].read_line() == "used up"
        stack.enter_context(traced(programs["traced"].pid, int(lines["traced"][1])))
        asleep = programs["asleep"].pid
        wait_until(lambda: state_of(asleep, asleep) == "D", "it to sleep")
        # The call of accept() that runs already has its descriptor: this connection gets it.
        port = int(lines["without descriptors"][0])
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        for name, program in programs.items():
            # With code to run, the client does not read the stacks from outside.
            done = pystuck("--timeout=1", "-c", "1", "127.0.0.1", lines[name][0])
            assert (done.returncode, done.stdout) == (1, ""), name
            why = REASONS[name].format(pid=program.pid, tracer=os.getpid())
            said = re.sub(r"that wait: \d+\)", "that wait: N)", done.stderr)
            assert f": process {program.pid} (" in said
            assert f") {why}" in said
            done = pystuck("--timeout=1", "127.0.0.1", lines[name][0])
            assert done.returncode == 0, name
            assert "MainThread" in done.stdout
            is_guess = name in ("computing", "waiting")
            assert len(done.stderr.splitlines()) == (1 if is_guess else 2)
            assert f"{program.pid} does not answer: {FROM_OUTSIDE}" in done.stderr


def test_a_server_that_sends_nothing(unanswered: dict[str, Any]) -> None:
    where = f"127.0.0.1:{unanswered['ports'][0]}"
    why = "it is not a pystuck server, or the program is stopped"
    assert_says(unanswered["silent"], 1, f"no answer in time from {where}: {why}")


def test_a_server_whose_queue_is_full(unanswered: dict[str, Any]) -> None:
    why = "accepts no more connections: the program does not accept those that are waiting"
    assert_says(unanswered["full"], 1, f"127.0.0.1:{unanswered['ports'][1]} {why}")


def test_a_unix_socket_with_a_full_queue(unanswered: dict[str, Any]) -> None:
    why = "accepts no more connections: the program does not accept those that are waiting"
    assert_says(unanswered["full unix"], 1, f"{unanswered['path']} {why}")
