# SPDX-License-Identifier: BSD-3-Clause
"""The user of the server: the client finds it out, and prints it or refuses it, before it sends
anything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Files
from harness import (
    SANITIZED,
    STRANGER,
    THREAD_SANITIZED,
    Debuggee,
    Running,
    as_user,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    is_gone,
    pystuck,
    python,
    run_program,
    tell,
    wait_until,
)
from test_authenticators import needs_tls
from test_find import LOOPBACK_UP, addresses, in_namespaces  # noqa: F401  a fixture
from test_prompt import Prompt

Start = Callable[..., Debuggee]
Done = subprocess.CompletedProcess

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be other users")

OTHER_USER = 65532

KINDS = ["ipv4", "ipv6", "mapped", "unix", "abstract"]


def shown(target: str) -> str:
    """Returns how messages show the address of a target."""
    return str(target).removeprefix("unix:")


def named(user: int) -> str:
    """A user as the client prints it. These users are not in the passwd database."""
    return "user root (uid 0)" if user == 0 else f"uid {user}"


def assert_refused(done: Done[str], sentence: str) -> None:
    """Checks that this sentence is the only output."""
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"pystuck: {sentence}\n")


#: A request that needs no code: a program whose user may not read Python's library cannot run code.
ASK = ("--no-exec", "-c", "modules['os'].getpid()")


def assert_answered(done: Done[str], debuggee: Debuggee, *warnings: str) -> None:
    """Checks that the client got the answer to ASK, and its other output."""
    assert done.stderr.splitlines() == [f"pystuck: {warning}" for warning in warnings]
    assert (done.returncode, done.stdout) == (0, f"{debuggee.pid}\n")


# ---- A server that counts ------------------------------------------------------------------------

#: Listens as another user, and prints how much each client sent. Arguments: the user, the address
#: as JSON, and whether to accept connections.
COUNTING = """
import json, os, socket, sys
user, address, accepts = json.loads(sys.argv[1])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
if isinstance(address, str):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address.replace("@", "\\0", 1) if address.startswith("@") else address)
    if not address.startswith("@"):
        os.chmod(address, 0o666)
    listener.listen()
else:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    everywhere = address[0] == "::"
    listener = socket.create_server(tuple(address), family=family, dualstack_ipv6=everywhere)
print(json.dumps(listener.getsockname()[1] if not isinstance(address, str) else None), flush=True)
while not accepts:
    sys.stdin.readline()
    accepts = True
while True:
    client, _ = listener.accept()
    received = b""
    while data := client.recv(4096):
        received += data
        client.close()
        break
    print(json.dumps(len(received)), flush=True)
"""


#: Accepts and closes connections, as another user.
CLOSING = """
import os, socket
os.setgroups([])
os.setresgid(USER, USER, USER)
os.setresuid(USER, USER, USER)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    listener.accept()[0].close()
"""


class Counting(Running):
    """A server of another user that counts received bytes, and does not speak RPyC."""

    def __init__(self, user: int, address: Any, accepts: bool = True) -> None:
        wish = json.dumps([user, address, accepts])
        super().__init__([python(), "-c", COUNTING, wish], clean_environment())
        self.port = json.loads(self.read_line())

    def received(self) -> int:
        """Returns the number of bytes that the next client sent."""
        return json.loads(self.read_line())


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest, socket_dir: Path) -> tuple[Any, Callable[[int], str]]:
    """Returns an address of each kind, and a function that makes the client's target of a port."""
    os.chmod(socket_dir, 0o777)
    if request.param in ("ipv6", "mapped"):
        request.getfixturevalue("ipv6")
    path, name = str(socket_dir / "s"), f"@count {os.getpid()}"
    kinds = {
        "ipv4": (["127.0.0.1", 0], lambda port: f"127.0.0.1:{port}"),
        "ipv6": (["::1", 0], lambda port: f"[::1]:{port}"),
        "mapped": (["127.0.0.1", 0], lambda port: f"[::ffff:127.0.0.1]:{port}"),
        "unix": (path, lambda port: f"unix:{path}"),
        "abstract": (name, lambda port: f"unix:{name}"),
    }
    return kinds[request.param]


@pytest.fixture
def count() -> Iterator[Callable[..., Counting]]:
    """Starts a Counting server."""
    started: list[Counting] = []

    def start(*arguments: Any, **more: Any) -> Counting:
        started.append(Counting(*arguments, **more))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_root_sends_nothing_to_a_server_of_another_user(
    count: Callable[..., Counting], where: tuple[Any, Callable[[int], str]]
) -> None:
    address, call = where
    server = count(STRANGER, address)
    target = call(server.port)
    for more in ([], ["--ssl"], ["--json"], ["-c", "1"], ["--server-user", str(OTHER_USER)]):
        done = pystuck(target, *more)
        sentence = f"{shown(target)} is a server of {named(STRANGER)}: "
        if "--server-user" in more:
            sentence += f"--server-user accepts only {named(OTHER_USER)}"
        else:
            sentence += f"root must pass --server-user {STRANGER} to connect"
        assert_refused(done, sentence)
        assert server.received() == 0
    # Without the check the client sends data, so server.received() can detect a missing check.
    assert pystuck(target, "--server-user=any", "--timeout=2").returncode != 0
    assert server.received() > 0


@pytest.mark.parametrize("how", ["not accepted", "stopped"])
def test_the_user_of_a_server_that_does_not_accept_is_found_by_its_listener(
    count: Callable[..., Counting], where: tuple[Any, Callable[[int], str]], how: str
) -> None:
    address, call = where
    server = count(STRANGER, address, accepts=how == "stopped")
    target = call(server.port)
    if how == "stopped":
        os.kill(server.pid, signal.SIGSTOP)
    done = pystuck(target)
    sentence = (
        f"{shown(target)} is a server of {named(STRANGER)}: root must pass --server-user {STRANGER}"
    )
    assert_refused(done, f"{sentence} to connect")
    os.kill(server.pid, signal.SIGCONT)
    server.write("accept\n")
    assert server.received() == 0


def test_a_server_of_another_user_that_closes_connections_at_once_is_refused() -> None:
    code = CLOSING.replace("USER", str(STRANGER))
    server = Running([python(), "-c", code], clean_environment())
    try:
        port = int(server.read_line())
        whose = f"127.0.0.1:{port} is a server of {named(STRANGER)}"
        for _ in range(20):
            assert_refused(
                pystuck(port), f"{whose}: root must pass --server-user {STRANGER} to connect"
            )
    finally:
        server.kill()


def test_for_other_users_the_client_prints_the_servers_user_before_it_sends_data(
    count: Callable[..., Counting], where: tuple[Any, Callable[[int], str]]
) -> None:
    address, call = where
    server = count(STRANGER, address)
    target = call(server.port)
    done = as_user(OTHER_USER, lambda: pystuck(target, "--timeout=5"))
    first, *rest = done.stderr.splitlines()
    assert first == f"pystuck: {shown(target)} is a server of {named(STRANGER)}"
    assert server.received() > 0
    assert not any("is a server of" in line for line in rest)
    # The client connects again to find the reason, and the server refuses that, too.
    done = as_user(OTHER_USER, lambda: pystuck(target, f"--server-user={OTHER_USER}"))
    assert_refused(
        done,
        f"{shown(target)} is a server of {named(STRANGER)}: --server-user accepts only "
        f"{named(OTHER_USER)}",
    )


# ---- Servers that answer -------------------------------------------------------------------------


@pytest.fixture(params=["ipv4", "ipv6", "unix", "abstract"])
def strangers(
    request: pytest.FixtureRequest, start_debuggee: Start, socket_dir: Path
) -> tuple[Debuggee, str]:
    """A program of STRANGER with a server on each kind of address, which admits OTHER_USER; and
    the address as a target."""
    os.chmod(socket_dir, 0o777)
    if request.param == "ipv6":
        request.getfixturevalue("ipv6")
    path = str(socket_dir / "s")
    options = {
        "ipv4": {"host": "127.0.0.1"},
        "ipv6": {"host": "::1"},
        "unix": {"unix_socket": path, "unix_mode": 0o666},
        "abstract": {"unix_socket": f"@whose {os.getpid()}"},
    }[request.param]
    debuggee = start_debuggee(arguments=(str(STRANGER),), allow_users=[OTHER_USER], **options)
    if debuggee.unix_socket:
        return debuggee, f"unix:{debuggee.unix_socket}"
    host = f"[{debuggee.host}]" if request.param == "ipv6" else debuggee.host
    return debuggee, f"{host}:{debuggee.port}"


def test_the_client_prints_the_user_of_another_users_server(
    strangers: tuple[Debuggee, str],
) -> None:
    debuggee, target = strangers
    ask = (target, *ASK)
    whose = f"{shown(target)} is a server of {named(STRANGER)}"
    assert_answered(as_user(OTHER_USER, lambda: pystuck(*ask)), debuggee, whose)
    assert_answered(
        as_user(OTHER_USER, lambda: pystuck(*ask, "--server-user=any")), debuggee, whose
    )
    assert_answered(
        as_user(OTHER_USER, lambda: pystuck(*ask, f"--server-user={STRANGER}")), debuggee
    )
    assert_answered(as_user(STRANGER, lambda: pystuck(*ask)), debuggee)
    assert_answered(pystuck(*ask, "--server-user=any"), debuggee, whose)
    assert_answered(pystuck(*ask, f"--server-user={STRANGER}"), debuggee)
    assert_refused(pystuck(*ask), f"{whose}: root must pass --server-user {STRANGER} to connect")


def test_with_pid_root_may_connect_to_a_program_of_another_user(
    strangers: tuple[Debuggee, str],
) -> None:
    debuggee, _ = strangers
    wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
    ask = ("--pid", debuggee.pid, *ASK)
    assert_answered(pystuck(*ask), debuggee)
    assert_answered(pystuck(*ask, f"--server-user={STRANGER}"), debuggee)
    assert_answered(as_user(STRANGER, lambda: pystuck(*ask)), debuggee)
    assert_answered(as_user(OTHER_USER, lambda: pystuck(*ask)), debuggee)
    done = pystuck(*ask, f"--server-user={OTHER_USER}")
    assert done.returncode == 2
    assert done.stderr.endswith(
        f"is a server of {named(STRANGER)}: --server-user accepts only {named(OTHER_USER)}\n"
    )


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_client_does_not_print_the_user_of_a_server_of_root_or_of_its_own_user(
    start_debuggee: Start, socket_dir: Path, kind: str
) -> None:
    options = {"unix": {"unix_socket": str(socket_dir / "s"), "unix_mode": 0o666}}
    debuggee = start_debuggee(allow_users=[OTHER_USER], **options.get(kind, {}))
    target = f"unix:{debuggee.unix_socket}" if kind == "unix" else debuggee.port
    assert_answered(pystuck(target, *ASK), debuggee)
    assert_answered(pystuck(target, *ASK, "--server-user=root"), debuggee)
    assert_answered(as_user(OTHER_USER, lambda: pystuck(target, *ASK)), debuggee)
    assert_answered(as_user(OTHER_USER, lambda: pystuck(target, *ASK, "--server-user=0")), debuggee)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_server_of_a_program_that_gave_up_root_belongs_to_its_new_user(
    start_debuggee: Start, socket_dir: Path, kind: str
) -> None:
    os.chmod(socket_dir, 0o777)
    options = {"unix": {"unix_socket": str(socket_dir / "s")}}
    code = f"import os; os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})"
    debuggee = start_debuggee("plain.py", arguments=(code,), **options.get(kind, {}))
    target = f"unix:{debuggee.unix_socket}" if kind == "unix" else f"127.0.0.1:{debuggee.port}"
    sentence = (
        f"{shown(target)} is a server of {named(STRANGER)}: root must pass --server-user {STRANGER}"
    )
    wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
    assert_refused(pystuck(target, "-c", "1"), f"{sentence} to connect")
    # Root may read the stacks from outside, and then sends nothing to the server.
    done = pystuck(target)
    end = "The stacks were read from outside the process"
    assert (done.returncode, done.stderr) == (0, f"pystuck: {sentence} to connect. {end}\n")
    assert "MainThread" in done.stdout
    assert_answered(pystuck("--pid", debuggee.pid, *ASK), debuggee)
    # STRANGER cannot read the program's descriptors, but --list must show the program.
    assert as_user(STRANGER, lambda: addresses(debuggee.pid))
    if kind == "tcp":
        ask = ("--pid", debuggee.pid, *ASK)
        assert_answered(as_user(STRANGER, lambda: pystuck(*ask)), debuggee)


def test_reconnect_does_not_print_the_servers_user_again(
    start_debuggee: Start, tmp_path: Path
) -> None:
    debuggee = start_debuggee(arguments=(str(STRANGER),))
    prompt = Prompt(["--server-user", "any", "--no-exec", str(debuggee.port)], tmp_path)
    whose = f"127.0.0.1:{debuggee.port} is a server of {named(STRANGER)}"
    assert prompt.child.before.count(whose) == 1
    prompt.type("%reconnect\r")
    prompt.number = -1
    assert whose not in prompt.next()
    assert prompt.cell("modules['os'].getpid()") == f"Out[0]: {debuggee.pid}\n\n"
    assert prompt.leave() == 0


def test_reconnect_checks_the_servers_user_again(
    obedient: Debuggee, tmp_path: Path, count: Callable[..., Counting]
) -> None:
    prompt = Prompt(["--no-exec", str(obedient.port)], tmp_path, columns=200)
    assert tell(obedient, "server.close()") is None
    prompt.expect("gone> ")
    server = count(STRANGER, ["127.0.0.1", obedient.port])
    prompt.type("%reconnect\r")
    whose = f"127.0.0.1:{obedient.port} is a server of {named(STRANGER)}"
    prompt.expect(f"cannot reconnect: {whose}: root must pass --server-user {STRANGER} to connect")
    assert server.received() == 0
    prompt.child.close(force=True)


@needs_tls
def test_the_user_is_checked_before_tls_begins(
    start_debuggee: Start, files: Files, count: Callable[..., Counting]
) -> None:
    server = count(STRANGER, ["127.0.0.1", 0])
    done = pystuck(server.port, "--ssl-no-verify")
    whose = f"127.0.0.1:{server.port} is a server of {named(STRANGER)}"
    assert done.returncode == 2
    assert f"{whose}: root must pass --server-user {STRANGER} to connect\n" in done.stderr
    assert server.received() == 0


@pytest.mark.parametrize("user", ["", "no-such-user", "-1", "4294967295", "99999999999", "0x0"])
def test_a_user_who_does_not_exist_is_an_error(user: str) -> None:
    assert_refused(
        pystuck(f"--server-user={user}", "6666"),
        f"invalid --server-user '{user}': expected the name or number of a user, or 'any'",
    )


# ---- Threads with the name of a listener ---------------------------------------------------------

#: Becomes another user, and then names its main thread like a listener. With PR_SET_DUMPABLE, its
#: user may read its descriptors.
MIMIC = """
import ctypes, os, sys
user, name = int(sys.argv[1]), sys.argv[2].encode()
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
ctypes.CDLL(None).prctl(4, int(sys.argv[3]), 0, 0, 0)
print("ready", flush=True)
sys.stdin.readline()
"""


def listener_name(debuggee: Debuggee) -> str:
    """The name of the listening thread of a program."""
    wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
    names = [
        (Path("/proc") / str(debuggee.pid) / "task" / str(thread) / "comm").read_text().strip()
        for thread in debuggee.threads()
    ]
    (name,) = [name for name in names if name.startswith("pystuck:")]
    return name


@contextlib.contextmanager
def mimicking(user: int, name: str, dumpable: bool = True) -> Iterator[Running]:
    """A process of this user with a thread of this name."""
    argv = [python(), "-c", MIMIC, str(user), name, str(int(dumpable))]
    process = Running(argv, clean_environment())
    try:
        assert process.read_line() == "ready"
        yield process
    finally:
        process.kill()


@pytest.mark.parametrize("dumpable", [True, False])
@pytest.mark.parametrize("mimic", [0, STRANGER, OTHER_USER])
@pytest.mark.parametrize("owner", [0, STRANGER])
@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix", "abstract"])
@pytest.mark.rotates(6)
def test_a_thread_with_the_name_of_a_listener_is_not_mistaken_for_one(
    request: pytest.FixtureRequest,
    start_debuggee: Start,
    socket_dir: Path,
    kind: str,
    owner: int,
    mimic: int,
    dumpable: bool,
) -> None:
    os.chmod(socket_dir, 0o777)
    if kind == "ipv6":
        request.getfixturevalue("ipv6")
    options = {
        "ipv6": {"host": "::1"},
        "unix": {"unix_socket": str(socket_dir / "s"), "unix_mode": 0o666},
        "abstract": {"unix_socket": f"@mimic {os.getpid()}"},
    }
    debuggee = start_debuggee(arguments=(str(owner),), **options.get(kind, {}))
    # A user who may read neither process cannot distinguish two processes of one user.
    users = {0} if owner == mimic else {0, STRANGER, OTHER_USER}
    with mimicking(mimic, listener_name(debuggee), dumpable) as process:
        for user in users:
            listed = as_user(user, lambda: pystuck("--list").stdout)
            assert f"\n{process.pid:7} " not in listed, (owner, user)
            assert f"\n{debuggee.pid:7} " in listed, (owner, user)
            done = as_user(user, lambda: pystuck("--pid", process.pid, *ASK))
            if dumpable or user != mimic:
                assert_refused(
                    done,
                    f"process {process.pid} has no pystuck server: one of its threads is "
                    "named like a server's thread, but the socket in this name belongs to another "
                    "process",
                )
            else:  # it could be a program of this user that was root before
                assert done.returncode in (1, 2)
                assert done.stdout == ""


@pytest.mark.parametrize("number", ["", "0", "zzzzzz", "not-one"])
def test_a_thread_name_with_an_invalid_number_is_ignored(number: str) -> None:
    with mimicking(STRANGER, f"pystuck:{number}") as process:
        for user in (0, STRANGER, OTHER_USER):
            assert not as_user(user, lambda: addresses(process.pid))
            assert as_user(user, lambda: pystuck("--pid", process.pid, *ASK)).returncode == 2


def test_if_the_listeners_process_ends_the_client_uses_no_other_server(
    start_debuggee: Start, socket_dir: Path, count: Callable[..., Counting]
) -> None:
    """Another server may have the path of the server's socket when the client connects."""
    os.chmod(socket_dir, 0o777)
    path = str(socket_dir / "s")
    debuggee = start_debuggee(arguments=(str(STRANGER),), unix_socket=path)
    wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
    os.rename(path, path + "-away")
    server = count(STRANGER, path)
    done = pystuck("--pid", debuggee.pid)
    assert_refused(
        done,
        f"{path} is not a server of process {debuggee.pid}: another process listens on this "
        "address",
    )
    assert server.received() == 0
    os.unlink(path)
    os.rename(path + "-away", path)


# ---- Without sock_diag ---------------------------------------------------------------------------

#: Runs the rest of the command as another user without netlink sockets and, if wanted, without
#: /proc.
WITHOUT_NETLINK = """
import ctypes, json, os, platform, struct, subprocess, sys
user, has_proc = json.loads(sys.argv[1])
if not has_proc:
    subprocess.run(["mount", "-t", "tmpfs", "none", "/proc"], check=True)
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
socket = {"x86_64": 41, "aarch64": 198}[platform.machine()]
def op(code, yes, no, k):
    return struct.pack("HBBI", code, yes, no, k)
program = b"".join([
    op(0x20, 0, 0, 0),            # the number of the call
    op(0x15, 0, 3, socket),
    op(0x20, 0, 0, 16),           # its first argument
    op(0x15, 0, 1, 16),           # AF_NETLINK
    op(0x06, 0, 0, 0x00050001),   # EPERM
    op(0x06, 0, 0, 0x7fff0000),   # all other calls are allowed
])
buffer = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
argument = Program(len(program) // 8, ctypes.addressof(buffer))
assert libc.prctl(22, 2, ctypes.byref(argument)) == 0, ctypes.get_errno()
os.execv(sys.argv[2], sys.argv[2:])
"""


def without_netlink(
    *arguments: object, user: int = 0, prefix: tuple[str, ...] = (), has_proc: bool = True
) -> Done[str]:
    """Runs the client without netlink sockets."""
    wish = json.dumps([user, has_proc])
    client = c_program("PYSTUCK_BIN", *arguments)
    return run_program([*prefix, python(), "-c", WITHOUT_NETLINK, wish, *client])


needs_seccomp = pytest.mark.skipif(
    os.uname().machine not in ("x86_64", "aarch64") or THREAD_SANITIZED,
    reason="the filter is for two kinds of machines",
)


@needs_seccomp
@pytest.mark.rotates(2)
def test_without_netlink_the_tables_in_proc_are_read(strangers: tuple[Debuggee, str]) -> None:
    debuggee, target = strangers
    wait_until(lambda: addresses(debuggee.pid), "the program to be listed")
    whose = f"{shown(target)} is a server of {named(STRANGER)}"
    ask = (target, *ASK)
    done = without_netlink(*ask)
    assert_refused(done, f"{whose}: root must pass --server-user {STRANGER} to connect")
    assert_answered(without_netlink(*ask, f"--server-user={STRANGER}"), debuggee)
    assert_answered(without_netlink(*ask, user=OTHER_USER), debuggee, whose)
    assert_answered(without_netlink("--pid", debuggee.pid, *ASK), debuggee)
    listed = without_netlink("--list").stdout
    assert re.search(
        rf"^ *{debuggee.pid} .* {re.escape(addresses(debuggee.pid)[0])} ", listed, re.M
    )


@needs_seccomp
def test_without_netlink_the_user_of_a_server_that_does_not_accept_is_found(
    count: Callable[..., Counting], ipv6: None
) -> None:
    for host, target in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "127.0.0.1")):
        server = count(STRANGER, [host, 0], accepts=False)
        whose = f"{target}:{server.port} is a server of {named(STRANGER)}"
        done = without_netlink(f"{target}:{server.port}")
        assert_refused(done, f"{whose}: root must pass --server-user {STRANGER} to connect")


@needs_seccomp
@pytest.mark.skipif(SANITIZED, reason="the sanitizers need /proc")
def test_if_the_user_cannot_be_found_root_is_refused_and_others_get_a_message(
    in_namespaces: Callable[..., list[str]],  # noqa: F811
    start_debuggee: Start,
) -> None:
    debuggee = start_debuggee(allow_users=[OTHER_USER])
    target, prefix = f"127.0.0.1:{debuggee.port}", tuple(in_namespaces("-m"))

    def ask(*more: str, user: int = 0) -> Done[str]:
        arguments = (target, *ASK, *more)
        return without_netlink(*arguments, user=user, prefix=prefix, has_proc=False)

    unknown = f"cannot find out which user the server {target} belongs to"
    assert_refused(ask(), f"{unknown}: to connect nevertheless, root must pass --server-user any")
    assert_refused(ask("--server-user=0"), f"{unknown}, so --server-user cannot be checked")
    assert_answered(ask("--server-user=any"), debuggee, unknown)
    assert_answered(ask(user=OTHER_USER), debuggee, unknown)


# ---- Other machines ------------------------------------------------------------------------------


@pytest.fixture
def other_machine(
    in_namespaces: Callable[..., list[str]],  # noqa: F811
) -> Iterator[tuple[Debuggee, str]]:
    """Starts a program in another network namespace; returns it and its address."""
    argv = [python(), "-c", LOOPBACK_UP, *command("stuck.py", "{}", str(STRANGER))]
    argv[-2] = json.dumps({"host": "0.0.0.0", "port": 0, "insecure": True})
    debuggee = Debuggee([*in_namespaces("-n"), *argv], debuggee_environment())
    net, link = os.getpid() % 250, f"pst{os.getpid() % 100000}"
    try:
        into = ["nsenter", f"--net=/proc/{debuggee.pid}/ns/net"]
        for line in (
            ["ip", "link", "add", link, "type", "veth", "peer", "name", f"{link}p"],
            ["ip", "link", "set", f"{link}p", "netns", str(debuggee.pid)],
            ["ip", "addr", "add", f"198.18.{net}.1/30", "dev", link],
            ["ip", "link", "set", link, "up"],
            [*into, "ip", "addr", "add", f"198.18.{net}.2/30", "dev", f"{link}p"],
            [*into, "ip", "link", "set", f"{link}p", "up"],
        ):
            try:
                subprocess.run(line, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"cannot create a network: {error}")
        yield debuggee, f"198.18.{net}.2:{debuggee.port}"
        debuggee.end_well()
    finally:
        debuggee.kill()
        with contextlib.suppress(OSError):
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
        wait_until(lambda: is_gone(debuggee.pid), "the program to be gone")


def test_no_user_is_printed_for_a_server_on_another_machine(
    other_machine: tuple[Debuggee, str], count: Callable[..., Counting]
) -> None:
    debuggee, target = other_machine
    # A local server that listens on all addresses, on the same port, must not be mistaken for the
    # server on the other machine.
    count(OTHER_USER, ["0.0.0.0", debuggee.port])
    ask = (target, *ASK)
    assert_answered(pystuck(*ask), debuggee)
    assert_answered(pystuck(*ask, "--server-user=any"), debuggee)
    assert_refused(
        pystuck(*ask, f"--server-user={STRANGER}"),
        f"{target} is on another machine: --server-user cannot be checked over the network",
    )


def test_an_outer_address_of_this_machine_is_checked_like_a_loopback_address(
    other_machine: tuple[Debuggee, str], count: Callable[..., Counting]
) -> None:
    _, target = other_machine
    host = re.sub(r"2:\d+$", "1", target)
    for accepts in (True, False):
        server = count(STRANGER, [host, 0], accepts=accepts)
        whose = f"{host}:{server.port} is a server of {named(STRANGER)}"
        assert_refused(
            pystuck(host, server.port),
            f"{whose}: root must pass --server-user {STRANGER} to connect",
        )
