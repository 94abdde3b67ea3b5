# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --list and --pid: finding the processes that have a server."""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from certificates import Files
from harness import (
    PATIENCE,
    STRANGER,
    Debuggee,
    as_user,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    errors_with_output,
    is_gone,
    pystuck,
    python,
    run_python,
    starts_a_shell,
    stock_environment,
    tell,
    wait_until,
)
from test_authenticators import environment, needs_tls, server_files
from test_prompt import Prompt

Start = Callable[..., Debuggee]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to be another user, say")

INSTRUCTIONS = "import pystuck; pystuck.run_server()"


def listed(pid: int, **env: str) -> list[dict[str, str]]:
    """The rows of --list for a process: one for each server."""
    done = pystuck("--list", **env)
    if done.returncode == 2:  # no process has a server
        return []
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    names = header.split()
    assert names == ["PID", "SINCE", "ADDRESS", "COMMAND"]
    rows = []
    for line in lines:
        number, rest = line.split(maxsplit=1)
        # The columns are as wide as their text.
        column = header.index("COMMAND")
        since, address = rest[:19], line[header.index("ADDRESS") : column].rstrip()
        if int(number) == pid:
            rows.append(dict(zip(names, (number, since, address, line[column:]), strict=True)))
    return rows


def addresses(pid: int) -> list[str]:
    """The addresses of a process in --list."""
    return [row["ADDRESS"] for row in listed(pid)]


def wait_until_listed(pid: int, *expected: str) -> None:
    """Waits until --list shows exactly these addresses for a process."""
    wait_until(lambda: sorted(addresses(pid)) == sorted(expected), f"{pid} to be at {expected}")


def shows_the_stacks(*arguments: object) -> bool:
    """True if the client gets the stacks of stuck.py."""
    done = pystuck("--no-ipython", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return "MainThread" in done.stdout and "stuck.py" in done.stdout


def assert_mistaken(done: subprocess.CompletedProcess[str], *told: str) -> None:
    """Checks that there is one sentence on stderr, with these words, and status 2."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pystuck: ")
    for text in told:
        assert text in done.stderr


# ---- Every kind of address -----------------------------------------------------------------------

KINDS = ["ipv4", "ipv6", "unix", "abstract"]


@pytest.fixture(params=KINDS)
def somewhere(
    request: pytest.FixtureRequest, start_debuggee: Start, socket_dir: Path
) -> tuple[Debuggee, str]:
    """The stuck program with a server on each kind of address, and the address as a target."""
    if request.param == "ipv6":
        request.getfixturevalue("ipv6")
    debuggee = start_debuggee(
        **{
            "ipv4": {"host": "127.0.0.2"},
            "ipv6": {"host": "::1"},
            "unix": {"unix_socket": str(socket_dir / " with blanks")},
            "abstract": {"unix_socket": f"@pystuck {os.getpid()}"},
        }[request.param]
    )
    if debuggee.unix_socket:
        return debuggee, debuggee.unix_socket
    host = f"[{debuggee.host}]" if ":" in str(debuggee.host) else debuggee.host
    return debuggee, f"{host}:{debuggee.port}"


def test_a_server_can_be_found_as_soon_as_it_has_started() -> None:
    # On one processor, a new thread runs after the threads that exist.
    code = """
import json, os, pathlib, pystuck
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def names():
    return [path.read_text()[:8] for path in pathlib.Path("/proc/self/task").glob("*/comm")]
seen = []
for _ in range(20):
    server = pystuck.run_server(port=0)
    seen.append(names().count("pystuck:"))
    server.close()
print(json.dumps(seen))
"""
    assert run_python(code) == [1] * 20


def test_a_process_is_listed_with_its_address_and_command_line(
    somewhere: tuple[Debuggee, str],
) -> None:
    debuggee, address = somewhere
    wait_until_listed(debuggee.pid, address)
    (row,) = listed(debuggee.pid)
    assert row["COMMAND"] == " ".join(debuggee.popen.args)


def test_pid_connects_whatever_the_address(somewhere: tuple[Debuggee, str]) -> None:
    debuggee, address = somewhere
    wait_until_listed(debuggee.pid, address)
    assert shows_the_stacks("--pid", debuggee.pid)
    assert pystuck("--pid", debuggee.pid, "-c", "6 * 7").stdout == "42\n"


def test_a_process_is_listed_since_its_server_listens_in_local_time(obedient: Debuggee) -> None:
    time.sleep(1)  # the server starts in a later second than the process
    before = int(time.time())
    assert tell(obedient, "server.close(); server = pystuck.run_server(port=0)") is None
    wait_until(lambda: listed(obedient.pid), "the new server")
    after = int(time.time()) + 1
    for zone, hours in (("UTC", 0), ("XYZ-5", 5)):
        (row,) = listed(obedient.pid, TZ=zone)
        since = time.strptime(row["SINCE"] + " UTC", "%Y-%m-%d %H:%M:%S %Z")
        # The kernel counts ticks since boot, and the time of boot is known to one second.
        assert before - 1 <= calendar.timegm(since) - hours * 3600 <= after


def test_a_unix_socket_with_a_relative_path(socket_dir: Path) -> None:
    argv = command("stuck.py", '{"unix_socket": "s"}')
    debuggee = Debuggee(argv, debuggee_environment(), cwd=socket_dir)
    try:
        wait_until_listed(debuggee.pid, "s")
        assert shows_the_stacks("--pid", debuggee.pid)
        debuggee.end_well()
    finally:
        debuggee.kill()


#: A stock server on all addresses, whose listening thread has the name of a pystuck listener.
EVERYWHERE = """
import json, sys, threading
from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(
    SlaveService, hostname=sys.argv[1], ipv6=":" in sys.argv[1], port=0, auto_register=False
)
inode, name = __import__("os").fstat(server.listener.fileno()).st_ino, ""
while inode:
    inode, digit = divmod(inode, 36)
    name = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + name
def serve():
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as comm:
        comm.write("pystuck:" + name)
    server.start()
threading.Thread(target=serve, daemon=True).start()
while not server.active:
    threading.Event().wait(0.001)
print(json.dumps({"port": server.port}), flush=True)
sys.stdin.readline()
print("went on")
"""


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_on_all_addresses_is_reached_by_loopback(host: str, ipv6: None) -> None:
    argv = [python(), "-c", EVERYWHERE, host]
    debuggee = Debuggee(argv, stock_environment("PYSTUCK_RPYC6"))
    try:
        shown = f"[{host}]:{debuggee.port}" if ":" in host else f"{host}:{debuggee.port}"
        wait_until_listed(debuggee.pid, shown)
        assert pystuck("--pid", debuggee.pid, "-c", "6 * 7").stdout == "42\n"
    finally:
        debuggee.kill()


@needs_tls
def test_a_pystuck_server_on_all_addresses_is_found(files: Files) -> None:
    wanted = {"ssl": server_files(files, certified=True), "run": {"host": "0.0.0.0"}}
    debuggee = Debuggee(command("authenticated.py", json.dumps(wanted)), environment())
    try:
        wait_until_listed(debuggee.pid, f"0.0.0.0:{debuggee.port}")
        done = pystuck("--pid", debuggee.pid)
        assert done.returncode == 1
        assert f"127.0.0.1:{debuggee.port} requires TLS" in done.stderr
    finally:
        debuggee.kill()


# ---- Which of its sockets ------------------------------------------------------------------------


def test_other_sockets_of_the_process_are_not_listed(obedient: Debuggee) -> None:
    code = "import socket; web = [socket.create_server(('127.0.0.1', 0)) for _ in range(5)]"
    assert tell(obedient, code) is None
    wait_until_listed(obedient.pid, f"127.0.0.1:{obedient.port}")


def test_each_server_of_a_process_is_listed_and_the_first_that_accepts_is_taken(
    start_debuggee: Start, socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    more = f"pystuck.run_server(unix_socket='@second {os.getpid()}')"
    debuggee = start_debuggee("plain.py", arguments=(more,), unix_socket=path)
    second = f"@second {os.getpid()}"
    wait_until_listed(debuggee.pid, path, second)
    ask = ("--pid", debuggee.pid, "-c", "[s.clients for s in modules.pystuck._servers]")
    assert pystuck(*ask).stdout == "[1, 0]\n"
    os.rename(path, path + "-away")
    assert pystuck(*ask).stdout == "[0, 1]\n"
    os.rename(path + "-away", path)  # the server removes this file when it ends


def test_a_server_that_is_stopped_is_not_listed(obedient: Debuggee) -> None:
    wait_until(lambda: addresses(obedient.pid), "the server")
    assert tell(obedient, "server.close()") is None
    wait_until(lambda: f"\n{obedient.pid:7} " not in pystuck("--list").stdout, "it to be gone")
    ask = ("--pid", obedient.pid, "-c", "1")
    assert_mistaken(pystuck(*ask), f"process {obedient.pid} (", "has no pystuck server")


def test_a_socket_that_takes_the_place_of_one_that_was_closed_is_not_listed(
    obedient: Debuggee,
) -> None:
    where = f"127.0.0.1:{obedient.port}"
    wait_until_listed(obedient.pid, where)
    code = (
        "import os, socket\n"
        "links = {n: f'/proc/self/fd/{n}' for n in range(3, 100)}\n"
        "links = {n: os.readlink(link) for n, link in links.items() if os.path.lexists(link)}\n"
        "fd = [n for n, link in links.items() if link.startswith('socket:')]\n"
        "listens = socket.SOL_SOCKET, socket.SO_ACCEPTCONN\n"
        "fd = [n for n in fd if socket.socket(fileno=os.dup(n)).getsockopt(*listens)]\n"
        "assert len(fd) == 1\n"
        "os.close(fd[0])\n"
        "web = socket.create_server(('127.0.0.1', 0))\n"
        "assert web.fileno() == fd[0]"
    )
    assert tell(obedient, code) is None
    # The server's socket still exists, because its listener waits on it, but no descriptor leads to
    # it.
    assert addresses(obedient.pid) == []


def test_a_forked_child_is_listed_if_it_serves_as_well(start_debuggee: Start) -> None:
    code = (
        "import os, warnings; warnings.simplefilter('ignore')\n"
        "child = os.fork()\n"
        "if child == 0: os.read(0, 1); os._exit(0)\n"
        "print(child, flush=True); sys.stdin.readline()"
    )
    for follow in (False, True):
        debuggee = start_debuggee("plain.py", arguments=("", code), follow_fork=follow)
        debuggee.write("fork\n")
        child = int(debuggee.read_line())
        wait_until(lambda pid=debuggee.pid: addresses(pid), "the parent")
        if follow:
            wait_until(lambda pid=child: addresses(pid), "the child")
            assert addresses(child) != addresses(debuggee.pid)
            done = pystuck("--pid", child, "-c", "modules.os.getpid()")
            assert done.stdout == f"{child}\n"
        else:
            ask = ("--pid", child, "-c", "1")
            assert_mistaken(pystuck(*ask), f"process {child} (", "has no pystuck server")
        debuggee.ended = True
        debuggee.kill()


def test_processes_that_vanish_meanwhile_are_no_trouble(stuck: Debuggee) -> None:
    ending = threading.Event()

    def churn() -> None:
        while not ending.is_set():
            subprocess.run(["true"], check=True)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            wait_until(lambda: addresses(stuck.pid), "the program to be listed")
    finally:
        ending.set()
        thread.join()


# ---- What is printed -----------------------------------------------------------------------------


def list_on_a_terminal(columns: int) -> list[str]:
    """The output of --list on a terminal."""
    argv = c_program("PYSTUCK_BIN", "--list")
    client = pexpect.spawn(
        argv[0], argv[1:], env=clean_environment(), timeout=PATIENCE, dimensions=(24, columns)
    )
    text = client.read().decode()
    client.close()
    assert client.exitstatus == 0
    return text.replace("\r\n", "\n").splitlines()


NASTY = "'''\x1b[31m\x07\t\xe4\n\x7f\x9b\u202e'''"


def test_command_lines_are_one_line_each_and_do_no_harm_to_a_terminal(
    start_debuggee: Start,
) -> None:
    pid = start_debuggee("plain.py", arguments=("", NASTY)).pid
    wait_until(lambda: addresses(pid), "the program to be listed")
    shown = " '''\\x1b[31m\\x07 \xe4 \\x7f\\x9b\\u202e'''"
    (row,) = listed(pid)
    assert row["COMMAND"].endswith(shown)
    (line,) = [line for line in list_on_a_terminal(300) if line.startswith(f"{pid:7} ")]
    assert line.endswith(shown)


def test_the_name_of_a_socket_cannot_look_like_a_line(start_debuggee: Start) -> None:
    name = f"@{os.getpid()}\n    77  x\t\x1b"
    pid = start_debuggee("plain.py", unix_socket=name).pid
    wait_until(lambda: f"\n{pid:7} " in pystuck("--list").stdout, "the program to be listed")
    shown = f"  @{os.getpid()}\\n    77  x\\x09\\x1b  "
    for lines in (pystuck("--list").stdout.splitlines(), list_on_a_terminal(300)):
        (line,) = [line for line in lines if line.startswith(f"{pid:7} ")]
        assert shown in line
        assert not [line for line in lines if line.startswith("    77 ")]
    wide = len(shown) + 29  # the columns before the address, and a part of its escapes
    assert max(map(len, list_on_a_terminal(wide - 6))) <= wide - 6


@pytest.mark.parametrize("columns", [40, 100])
def test_lines_are_cut_on_a_terminal_and_nowhere_else(start_debuggee: Start, columns: int) -> None:
    pid = start_debuggee("plain.py", arguments=("", "#" + "\xe4\x1b" * 500)).pid
    wait_until(lambda: addresses(pid), "the program to be listed")
    lines = list_on_a_terminal(columns)
    (line,) = [line for line in lines if line.startswith(f"{pid:7} ")]
    assert max(map(len, lines)) <= columns
    assert len(line) > columns - 4
    (row,) = listed(pid)
    assert row["COMMAND"].endswith("\xe4\\x1b" * 500)


def test_a_list_that_cannot_be_written_is_an_error(stuck: Debuggee) -> None:
    wait_until(lambda: addresses(stuck.pid), "the program to be listed")
    status, errors = errors_with_output("/dev/full", "--list")
    assert status == 1
    assert "No space left on device" in errors


# ---- Processes that cannot be looked into --------------------------------------------------------


def test_a_process_that_does_not_exist_is_said_to_be_none() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
        wait_until(lambda: is_gone(ended.pid), "it to be gone")
    assert_mistaken(pystuck("--pid", ended.pid), f"there is no process {ended.pid}\n")


def test_a_process_without_a_server_is_told_what_to_run() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            wait_until(
                lambda: "(sleep 1000)" in pystuck("--pid", process.pid).stderr, "it to be started"
            )
            done = pystuck("--pid", process.pid, "-c", "1")
            assert_mistaken(
                done, f"process {process.pid} (sleep 1000) has no pystuck server", INSTRUCTIONS
            )
        finally:
            process.kill()


@needs_root
def test_a_stranger_sees_the_address_and_is_told_who_may_connect(stuck: Debuggee) -> None:
    where = f"127.0.0.1:{stuck.port}"
    wait_until_listed(stuck.pid, where)
    assert as_user(STRANGER, lambda: addresses(stuck.pid)) == [where]
    done = as_user(STRANGER, lambda: pystuck("--pid", stuck.pid))
    assert (done.returncode, done.stdout) == (1, "")
    expected = f"only the program's user (root) and root may connect, and you are user {STRANGER}"
    assert expected in done.stderr


@needs_root
def test_a_stranger_is_told_who_may_connect_to_a_unix_socket(
    start_debuggee: Start, socket_dir: Path
) -> None:
    debuggee = start_debuggee(unix_socket=str(socket_dir / "s"))
    wait_until_listed(debuggee.pid, str(socket_dir / "s"))
    done = as_user(STRANGER, lambda: pystuck("--pid", debuggee.pid))
    assert done.returncode == 1
    assert "only the program's user (root) and root may connect" in done.stderr


@pytest.fixture
def in_namespaces() -> Iterator[Callable[..., list[str]]]:
    """Returns the start of a command line; it runs the rest of the command in new namespaces."""

    def prefix(*options: str) -> list[str]:
        argv = ["unshare", *options]
        try:
            subprocess.run([*argv, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no namespaces can be made here: {error}")
        return argv

    yield prefix


#: Runs the rest of the command as another user, with a /proc that hides other users' processes.
#: If the other user is root, it has no CAP_SYS_PTRACE.
HIDDEN = """
import ctypes, os, subprocess, sys
assert ctypes.CDLL(None).prctl(24, 19, 0, 0, 0) == 0
subprocess.run(["mount", "-t", "proc", "-o", sys.argv[1], "proc", "/proc"], check=True)
os.setgroups([])
os.setresgid(*[int(sys.argv[2])] * 3)
os.setresuid(*[int(sys.argv[2])] * 3)
os.execv(sys.argv[3], sys.argv[3:])
"""


def run_hidden(
    prefix: list[str], how: str, *arguments: object, user: int = STRANGER
) -> subprocess.CompletedProcess[str]:
    """Runs the client in these namespaces, with such a /proc."""
    return subprocess.run(
        [*prefix, python(), "-c", HIDDEN, how, str(user)] + c_program("PYSTUCK_BIN", *arguments),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@needs_root
@pytest.mark.parametrize("how", ["hidepid=1", "hidepid=2"])
def test_a_process_that_proc_hides_is_said_to_be_hidden(
    stuck: Debuggee, in_namespaces: Callable[..., list[str]], how: str
) -> None:
    hidden = f"process {stuck.pid} is hidden (/proc has the option hidepid)"
    rights = "only root and the process's user can"
    root = f"run 'sudo pystuck --pid {stuck.pid}'"
    prefix = in_namespaces("-m")
    done = run_hidden(prefix, how, "--pid", stuck.pid)
    assert_mistaken(done, f"{hidden}: {rights} read it: {root}")
    done = run_hidden(prefix, how, "--pid", stuck.pid, "-c", "1")
    assert_mistaken(done, f"{hidden}: {rights} see whether the process has a server: {root}")


@needs_root
def test_a_process_that_proc_hides_from_its_user_or_from_root_is_said_to_be_so(
    stuck: Debuggee, in_namespaces: Callable[..., list[str]]
) -> None:
    hidden = "is hidden (/proc has the option hidepid)"
    prefix = in_namespaces("-m")
    done = run_hidden(prefix, "hidepid=4", "--pid", 1, user=0)  # from Linux 5.8 on
    assert_mistaken(done, f"process 1 {hidden}: you are root without the capability CAP_SYS_PTRACE")
    code = f"import os; os.setgid({STRANGER}); os.setuid({STRANGER}); print(flush=True); input()"
    with subprocess.Popen([python(), "-c", code], stdin=-1, stdout=-1) as own:  # not dumpable
        try:
            own.stdout.readline()
            done = run_hidden(prefix, "hidepid=2", "--pid", own.pid)
            root = f"run 'sudo pystuck --pid {own.pid}'"
            assert_mistaken(done, f"process {own.pid} {hidden}, also from its own user: {root}")
        finally:
            own.kill()


@needs_root
def test_a_list_says_how_many_processes_are_hidden(
    stuck: Debuggee, in_namespaces: Callable[..., list[str]]
) -> None:
    done = run_hidden(in_namespaces("-m"), "hidepid=1", "--list")
    assert f"{stuck.pid:7} " not in done.stdout
    assert re.search(
        r"pystuck: \d+ processes are hidden \(/proc has the option hidepid\)", done.stderr
    )


@needs_root
def test_a_stranger_is_told_who_may_connect_where_proc_hides_the_process(
    stuck: Debuggee, in_namespaces: Callable[..., list[str]]
) -> None:
    done = run_hidden(in_namespaces("-m"), "hidepid=2", "127.0.0.1", stuck.port)
    assert done.returncode == 1
    assert "only the program's user (root) and root may connect" in done.stderr


# ---- Containers ----------------------------------------------------------------------------------

#: Brings up the loopback interface of a new network namespace, and runs the rest of the command.
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextlib.contextmanager
def contained(prefix: list[str], *argv: str) -> Iterator[Debuggee]:
    """A debuggee in namespaces of its own."""
    debuggee = Debuggee([*prefix, *argv], debuggee_environment())
    try:
        wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
        yield debuggee
        debuggee.end_well()
    finally:
        debuggee.kill()


@needs_root
@pytest.mark.parametrize("where", [{"port": 0}, {"unix_socket": "@in a container"}])
def test_root_gets_into_another_network_namespace(
    in_namespaces: Callable[..., list[str]], where: dict[str, Any], tmp_path: Path
) -> None:
    argv = [python(), "-c", LOOPBACK_UP, *command("stuck.py", json.dumps(where))]
    with contained(in_namespaces("-n"), *argv) as debuggee:
        (address,) = addresses(debuggee.pid)
        shown = debuggee.unix_socket or f"127.0.0.1:{debuggee.port}"
        assert address == f"{shown} (other network)"
        assert shows_the_stacks("--pid", debuggee.pid)
        # After it has connected, the client returns to its own network namespace, in which the
        # programs run that a prompt starts.
        prompt = Prompt(["--pid", debuggee.pid], tmp_path)
        ours, theirs = (os.readlink(f"/proc/{n}/ns/net") for n in (os.getpid(), debuggee.pid))
        assert os.readlink(f"/proc/{prompt.child.pid}/ns/net") == ours != theirs
        assert prompt.leave() == 0


@needs_root
def test_others_are_told_that_only_root_gets_into_another_network_namespace(
    in_namespaces: Callable[..., list[str]],
) -> None:
    program = command("stuck.py", '{"port": 0}', str(STRANGER))
    with contained(in_namespaces("-n"), python(), "-c", LOOPBACK_UP, *program) as debuggee:
        done = as_user(STRANGER, lambda: pystuck("--pid", debuggee.pid))
        assert_mistaken(
            done, f"process {debuggee.pid} is in another network namespace", "only root can enter"
        )


@needs_root
@starts_a_shell
def test_a_unix_socket_that_only_the_process_can_see(
    in_namespaces: Callable[..., list[str]], socket_dir: Path
) -> None:
    real = socket_dir / ("a name as long as a socket's may be " + "x" * 20)
    link = socket_dir / "link"
    script = 'mount -t tmpfs none "$1" && mkdir "$2" && ln -s "$2" "$3" && shift 3 && exec "$@"'
    program = command("stuck.py", json.dumps({"unix_socket": str(link / "s")}))
    argv = ["sh", "-c", script, "sh", *map(str, (socket_dir, real, link)), *program]
    with contained(in_namespaces("-m"), *argv) as debuggee:
        assert not link.exists()
        assert addresses(debuggee.pid) == [str(link / "s")]
        assert shows_the_stacks("--pid", debuggee.pid)


@needs_root
@starts_a_shell
def test_a_socket_that_only_the_process_can_see_and_has_lost(
    in_namespaces: Callable[..., list[str]], socket_dir: Path
) -> None:
    path = socket_dir / "s"
    code = f"import os; os.unlink({str(path)!r})"
    argv = ["sh", "-c", 'mount -t tmpfs none "$1" && shift && exec "$@"', "sh", str(socket_dir)]
    program = command("plain.py", json.dumps({"unix_socket": str(path)}), code)
    with contained(in_namespaces("-m"), *argv, *program) as debuggee:
        done = pystuck("--pid", debuggee.pid)
        assert_mistaken(done, f"cannot open {path}, ", "No such file or directory")


# ---- The default address -------------------------------------------------------------------------

#: Runs in new namespaces: starts some programs, runs the client, and prints its output.
MACHINE = """
import json, os, subprocess, sys
programs, client, env = map(json.loads, sys.argv[1:4])
started = [
    subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
    for argv in programs
]
for process in started:
    process.stdout.readline()
done = subprocess.run(client, stdin=subprocess.DEVNULL, capture_output=True, text=True)
for process in started:
    process.kill()
print(json.dumps([done.returncode, done.stdout, done.stderr, [p.pid for p in started]]))
"""


def on_a_machine(prefix: list[str], count: int, *arguments: str) -> tuple[int, str, str, list[int]]:
    """Runs the client where `count` programs have a server. Returns its status, output and their
    pids."""
    programs = [
        command("stuck.py", json.dumps({"unix_socket": f"@program {i}"})) for i in range(count)
    ]
    client = c_program("PYSTUCK_BIN", *arguments)
    env = debuggee_environment()
    machine = [python(), "-c", LOOPBACK_UP, python(), "-c", MACHINE]
    done = subprocess.run(
        [*prefix, *machine, *map(json.dumps, (programs, client, env))],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture
def machine(in_namespaces: Callable[..., list[str]]) -> list[str]:
    """Namespaces without other processes, and where nothing listens."""
    more = [] if os.geteuid() == 0 else ["-r"]
    return in_namespaces(*more, "-n", "-p", "-f", "--mount-proc", "--kill-child")


def test_nothing_at_the_default_address_and_nowhere_else(machine: list[str]) -> None:
    status, out, err, _ = on_a_machine(machine, 0)
    assert (status, out) == (2, "")
    assert err.startswith("pystuck: nothing listens on 127.0.0.1:6666\n")
    assert INSTRUCTIONS in err


def test_nothing_at_the_default_address_but_one_process_is_found(machine: list[str]) -> None:
    status, out, err, (pid,) = on_a_machine(machine, 1)
    assert (status, out) == (2, "")
    start = f"pystuck: nothing listens on 127.0.0.1:6666, but process {pid} ("
    assert err.startswith(start)
    assert err.endswith(f") has a server: run pystuck --pid {pid}\n")
    assert err.count("\n") == 1


def test_nothing_at_the_default_address_but_several_processes_are_found(
    machine: list[str],
) -> None:
    status, out, err, _ = on_a_machine(machine, 3)
    assert (status, out) == (2, "")
    assert err == (
        "pystuck: nothing listens on 127.0.0.1:6666, but 3 processes have a server: "
        "run pystuck --list to see them\n"
    )


@pytest.mark.parametrize("where", [["127.0.0.1"], ["--port", "6666"], ["--unix-socket", "/no/s"]])
def test_other_processes_are_not_named_if_an_address_was_given(
    machine: list[str], where: list[str]
) -> None:
    status, out, err, _ = on_a_machine(machine, 1, *where)
    assert (status, out) == (2, "")
    assert "has a server" not in err
    assert err.count("\n") == 1


def test_a_list_of_nothing_is_status_2_with_instructions(machine: list[str]) -> None:
    status, out, err, _ = on_a_machine(machine, 0, "--list")
    assert (status, out) == (2, "")
    assert err.startswith("pystuck: no process on this machine has a pystuck server\n")
    assert INSTRUCTIONS in err


def test_a_list_has_every_process(machine: list[str]) -> None:
    status, out, err, pids = on_a_machine(machine, 3, "--list")
    assert (status, err) == (0, "")
    assert [int(line.split()[0]) for line in out.splitlines()[1:]] == sorted(pids)
    shown = sorted(re.findall(r"  @program \d  ", out))
    assert shown == [f"  @program {i}  " for i in range(3)]


# ---- Connecting again ----------------------------------------------------------------------------


def test_ctrl_c_reaches_a_cell_of_a_process(stuck: Debuggee) -> None:
    wait_until(lambda: addresses(stuck.pid), "the program to be listed")
    code = "print('running')\nwhile True: pass"
    with subprocess.Popen(
        c_program("PYSTUCK_BIN", "--pid", stuck.pid, "-c", code),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "running\n"
        client.send_signal(signal.SIGINT)
        _, text = client.communicate(timeout=PATIENCE)
        assert client.returncode == 130
        assert text.endswith("KeyboardInterrupt\n")


def test_reconnect_connects_to_the_process_again(obedient: Debuggee, tmp_path: Path) -> None:
    wait_until(lambda: addresses(obedient.pid), "the program to be listed")
    prompt = Prompt(["--pid", obedient.pid], tmp_path)
    assert prompt.cell("6 * 7") == "Out[0]: 42\n\n"
    assert tell(obedient, "server.close(); server = pystuck.run_server(port=0)") is None
    prompt.expect("gone> ")
    wait_until(lambda: addresses(obedient.pid), "the new server")
    prompt.type("%reconnect\r")
    prompt.number = -1
    prompt.next()
    assert prompt.cell("6 * 8") == "Out[0]: 48\n\n"
    assert tell(obedient, "server.close()") is None
    prompt.expect("gone> ")
    prompt.type("%reconnect\r")
    prompt.expect(f"cannot reconnect: process {obedient.pid} ")
    prompt.child.close(force=True)
