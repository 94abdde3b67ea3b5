# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's rule for ptrace decides whether the program's own user may connect.

The uids, the gids and the capabilities of the program count. See the table in admission.h.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import strangers
from harness import (
    PATIENCE,
    STRANGER,
    Debuggee,
    as_user,
    build_setting,
    command,
    debuggee_environment,
    each_ends_well,
    make_capable,
    run_program,
    tell,
    wait_until,
)
from programs import rights
from programs.rights import NET_ADMIN, NET_BIND_SERVICE, WAKE_ALARM
from rawpeer import connect_socket, raw_connect

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user: run these tests as root"
)

#: The ids of a user and a group other than those of the tests and of STRANGER.
OTHER = 65532

TCP = ("ipv4", "mapped", "ipv6")
UNIX = "abstract"

#: The number of the system call setresuid.
SETRESUID = {"x86_64": 117, "aarch64": 147, "riscv64": 147}

OTHERS_ONLY = "; only root and allow_users are admitted"


def knows_peers_by_descriptor() -> bool:
    """Returns True if the kernel gives a pidfd for the peer of a Unix socket (Linux 6.5)."""
    so_peerpidfd = 77
    with contextlib.ExitStack() as stack:
        one, _ = (stack.enter_context(sock) for sock in socket.socketpair())
        try:
            os.close(one.getsockopt(socket.SOL_SOCKET, so_peerpidfd))
        except OSError:
            return False
    return True


needs_pidfd = pytest.mark.skipif(
    not knows_peers_by_descriptor(), reason="the kernel gives no pidfd of a peer"
)


class Program(Debuggee):
    """A program with a server at each kind of address."""

    def __init__(self, before: str = "", **options: Any) -> None:
        listens = [{"port": 0}, {"unix_socket": f"@pystuck-test-{os.getpid()}-{{pid}}"}]
        if has_ipv6():
            listens.append({"host": "::1", "port": 0})
        arguments = json.dumps([each | options for each in listens]), json.dumps(before)
        super().__init__(command("rights_server.py", *arguments), debuggee_environment())
        ipv4, unix, *ipv6 = (SimpleNamespace(**place) for place in self.told["places"])
        mapped = SimpleNamespace(host="::ffff:127.0.0.1", port=ipv4.port, unix_socket=None)
        self.places = {"ipv4": ipv4, UNIX: unix}
        if ipv6:
            self.places |= {"mapped": mapped, "ipv6": ipv6[0]}

    def lets_in(self, user: int, places: Sequence[str] = (*TCP, UNIX), **more: Any) -> set[str]:
        """Returns the addresses at which a user may connect. `more` as for `as_user`."""
        here = [name for name in places if name in self.places]

        def knock() -> set[str]:
            rights.be_as_after_exec()
            return {name for name in here if works(self.places[name])}

        return as_user(user, knock, **more)

    def keeps_out(self, user: int, places: Sequence[str] = (*TCP, UNIX), **more: Any) -> bool:
        """Returns True if a user is refused at all of these addresses."""
        found = self.lets_in(user, places, **more)
        strangers.count(len(places), are_in=bool(found))
        return not found

    def every(self, *places: str) -> set[str]:
        """Returns those of `places`, by default of all addresses, that this program has."""
        return set(self.places) & set(places or self.places)

    def assert_logged(self, *reasons: str) -> None:
        """Checks that the loggers got this text."""
        for reason in reasons:
            text = f"a client was refused: {reason}\n"
            wait_until(lambda text=text: text in self.stderr(), text, details=self.stderr)

    def end_well(self) -> None:
        """Ends the program, which must end as if there were no server."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        assert (self.read_line(), self.wait()) == ("went on", 0)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def works(place: Any) -> bool:
    """Returns True if this user is served."""
    with raw_connect(place) as peer:
        return peer.works()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Starts a program, with arguments of Program. It must run as if there were no server."""
    with each_ends_well() as started:

        def start_it(*arguments: Any, **options: Any) -> Program:
            program = Program(*arguments, **options)
            started.append(program)
            return program

        yield start_it


Start = Callable[..., Program]


def become(
    uids: Sequence[int] = (STRANGER,) * 3,
    gids: Sequence[int] = (STRANGER,) * 3,
    capabilities: int = 0,
) -> str:
    return f"rights.become({uids!r}, {gids!r}, (), {capabilities})"


# ---- Uids ----------------------------------------------------------------------------------------


def test_a_program_that_changes_its_effective_uid_does_not_admit_that_user(
    start: Start,
) -> None:
    program = start()
    assert program.keeps_out(STRANGER)
    for _ in range(2):
        assert tell(program, f"os.seteuid({STRANGER})") is None
        assert program.keeps_out(STRANGER)
        assert program.lets_in(0) == program.every()
        assert tell(program, "os.seteuid(0)") is None
        assert program.keeps_out(STRANGER)
    why = f"the peer belongs to uid {STRANGER}, and the program has uids from 0 to {STRANGER}"
    program.assert_logged(f"the peer belongs to uid {STRANGER}", why + OTHERS_ONLY)
    assert tell(program, become()) is None
    assert program.lets_in(STRANGER) == program.every()
    assert program.keeps_out(OTHER)


def test_a_program_that_changes_its_effective_gid_does_not_admit_that_group(
    start: Start,
) -> None:
    program = start(become(gids=(STRANGER, STRANGER, OTHER)))
    assert program.keeps_out(STRANGER)
    assert tell(program, f"os.setegid({OTHER})") is None
    assert program.keeps_out(STRANGER)
    assert program.keeps_out(STRANGER, gid=OTHER)
    why = f"the peer belongs to uid {STRANGER}, and the program has gids from {OTHER} to {STRANGER}"
    program.assert_logged(why + OTHERS_ONLY)


@pytest.mark.parametrize("uids", itertools.product((0, STRANGER, OTHER), repeat=3))
@pytest.mark.rotates(3)
def test_the_peers_uid_must_equal_each_uid_of_the_program(
    uids: tuple[int, ...], start: Start
) -> None:
    program = start(become(uids))
    for user in (STRANGER, OTHER):
        places = program.every() if set(uids) == {user} else set()
        assert program.lets_in(user, gid=STRANGER) == places
    assert program.lets_in(0) == program.every()


@pytest.mark.parametrize("gids", itertools.product((STRANGER, OTHER), repeat=3))
@pytest.mark.rotates(2)
def test_the_gids_of_the_program_must_be_equal_and_over_unix_equal_the_peers_gid(
    gids: tuple[int, ...], start: Start
) -> None:
    program = start(become(gids=gids))
    for gid in (STRANGER, OTHER):
        places = program.every(*TCP) if len(set(gids)) == 1 else set()
        if set(gids) == {gid}:
            places |= {UNIX}
        assert program.lets_in(STRANGER, gid=gid) == places
    assert program.lets_in(0) == program.every()


def test_the_log_names_the_group_that_is_missing(start: Start) -> None:
    program = start(become())
    assert program.keeps_out(STRANGER, [UNIX], gid=OTHER, groups=[STRANGER])
    why = f"the peer belongs to uid {STRANGER} and gid {OTHER}, and the program has gid {STRANGER}"
    program.assert_logged(why + OTHERS_ONLY)


def test_the_client_tells_what_its_user_may_lack(start: Start, socket_dir: Path) -> None:
    client = Path(shutil.copy(build_setting("PYSTUCK_BIN"), socket_dir / "pystuck"))
    program = start(become())
    done = run_program(
        [client, "--unix-socket", program.places[UNIX].unix_socket],
        user=STRANGER,
        group=OTHER,
        extra_groups=[],
    )
    assert done.returncode != 0
    assert "groups or capabilities that you lack" in done.stderr


def test_allowed_users_are_admitted_whatever_the_programs_uids_and_capabilities(
    start: Start,
) -> None:
    mixed = (STRANGER, 0, STRANGER)
    program = start(become(mixed, mixed, NET_ADMIN), allow_users=[STRANGER])
    assert program.lets_in(STRANGER, gid=OTHER) == program.every()
    assert program.keeps_out(OTHER)


def test_gid_65534_counts_like_any_other_gid(start: Start) -> None:
    nogroup = 65534
    program = start(become(gids=(nogroup,) * 3))
    assert program.lets_in(STRANGER, gid=nogroup) == program.every()
    assert program.keeps_out(STRANGER, [UNIX])


def test_a_client_stays_connected_when_the_program_becomes_another_user(start: Start) -> None:
    program = start()
    with raw_connect(program.places[UNIX]) as inside:
        assert inside.works()
        assert tell(program, become()) is None
        assert inside.works()
        assert inside.eval(f"__import__('os').getresuid() == ({STRANGER},) * 3") is True


# ---- Capabilities --------------------------------------------------------------------------------


def test_over_tcp_a_program_with_capabilities_does_not_admit_its_own_user(start: Start) -> None:
    program = start(become(capabilities=NET_BIND_SERVICE))
    assert program.keeps_out(STRANGER, TCP)
    assert program.keeps_out(STRANGER, TCP, capabilities=NET_BIND_SERVICE)
    assert program.lets_in(0) == program.every()
    why = f"the peer belongs to uid {STRANGER}, and the program has capabilities (400)"
    program.assert_logged(why + OTHERS_ONLY)


def test_a_program_that_has_dropped_its_capabilities_admits_its_own_user(start: Start) -> None:
    program = start(f"{become(capabilities=NET_ADMIN)}; rights.set_capabilities(0)")
    assert program.lets_in(STRANGER) == program.every()


def test_the_capability_of_every_desktop_user_does_not_count(start: Start) -> None:
    program = start(become(capabilities=WAKE_ALARM))
    assert program.lets_in(STRANGER) == program.every()


@needs_pidfd
@pytest.mark.parametrize(
    ("theirs", "are_enough"),
    [
        (0, False),
        (NET_ADMIN, False),
        (WAKE_ALARM, False),
        (NET_BIND_SERVICE, True),
        (NET_BIND_SERVICE | NET_ADMIN, True),
    ],
)
def test_over_unix_the_peer_needs_the_programs_capabilities(
    theirs: int, are_enough: bool, start: Start
) -> None:
    program = start(become(capabilities=NET_BIND_SERVICE))
    places = {UNIX} if are_enough else set()
    assert program.lets_in(STRANGER, [UNIX], capabilities=theirs) == places
    assert program.keeps_out(STRANGER, [UNIX], gid=OTHER, capabilities=theirs)
    if not are_enough:
        why = f"the peer belongs to uid {STRANGER} and lacks capabilities of the program (400)"
        program.assert_logged(why + OTHERS_ONLY)


@needs_pidfd
def test_capabilities_in_another_user_namespace_do_not_count(start: Start) -> None:
    program = start(become(capabilities=NET_BIND_SERVICE))

    def knock() -> bool:
        try:
            rights.be_as_after_exec()
            rights.leave_user_namespace()
        except OSError as error:
            pytest.skip(f"no user namespaces here: {error}")
        capabilities = Path("/proc/self/status").read_text().partition("CapPrm:")[2].split()[0]
        assert int(capabilities, 16) & NET_BIND_SERVICE
        return works(program.places[UNIX])

    assert as_user(STRANGER, knock) is False
    assert as_user(STRANGER, knock, capabilities=NET_BIND_SERVICE) is False


@needs_pidfd
def test_capabilities_of_a_peer_that_has_changed_its_own_uid_do_not_count(start: Start) -> None:
    """The server cannot distinguish this peer from one with capabilities of its program's file."""
    program = start(become(capabilities=NET_BIND_SERVICE))
    place = program.places[UNIX]
    assert as_user(STRANGER, lambda: works(place), capabilities=NET_BIND_SERVICE) is False


@contextlib.contextmanager
def stopped(program: Debuggee) -> Iterator[None]:
    """Stops the program in the block, so that it checks the peer only after the block."""
    os.kill(program.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: program.status("State").startswith("T"), "the program to stop")
        yield
    finally:
        os.kill(program.pid, signal.SIGCONT)


@needs_pidfd
def test_a_peer_process_that_has_ended_has_no_capabilities(start: Start) -> None:
    program = start(become(capabilities=NET_BIND_SERVICE))
    ours, theirs = socket.socketpair()

    def connect_and_end() -> None:
        rights.be_as_after_exec()
        with connect_socket(program.places[UNIX]) as sock:
            socket.send_fds(theirs, [b"x"], [sock.fileno()])

    with ours, theirs, contextlib.ExitStack() as stack:
        with stopped(program):
            as_user(STRANGER, connect_and_end, capabilities=NET_BIND_SERVICE)
            _, (fd,), *_ = socket.recv_fds(ours, 1, 1)
            sock = stack.enter_context(socket.socket(fileno=fd))
            sock.settimeout(PATIENCE)
        assert sock.recv(1) == b""


def connect_and_run(place: Any, program: Path, writer: int) -> None:
    """Connects as the stranger, then runs another program. A child keeps the connection and writes
    the result."""
    rights.become([STRANGER] * 3, [STRANGER] * 3)
    rights.be_as_after_exec()
    with connect_socket(place) as sock:
        if os.fork() == 0:
            os.write(writer, sock.recv(1) or b"refused")
            os._exit(0)
        os.execl(program, program.name, "1000")


@needs_pidfd
def test_capabilities_that_a_peer_got_after_it_connected_do_not_count(
    start: Start, socket_dir: Path
) -> None:
    program = start(become(capabilities=NET_BIND_SERVICE))
    sleep = Path(shutil.copy(str(shutil.which("sleep")), socket_dir / "sleep"))
    make_capable(sleep, NET_BIND_SERVICE)
    reader, writer = os.pipe()
    pid = 0
    try:
        with stopped(program):
            pid = os.fork()
            if pid == 0:
                try:
                    connect_and_run(program.places[UNIX], sleep, writer)
                finally:
                    os._exit(1)
            os.close(writer)
            status, capable = Path(f"/proc/{pid}/status"), f"CapPrm:\t{NET_BIND_SERVICE:016x}\n"
            wait_until(lambda: capable in status.read_text(), "the peer to run that program")
        with os.fdopen(reader, "rb") as told:
            assert told.read() == b"refused"
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# ---- Threads -------------------------------------------------------------------------------------


def test_every_thread_counts(start: Start) -> None:
    """Capabilities belong to a thread: a thread of the program has some, the other threads gave
    them up before the server was started."""
    give_up = "start_thread(lambda: None); rights.set_capabilities(0)"
    program = start(f"{become(capabilities=NET_BIND_SERVICE)}; {give_up}")
    assert program.keeps_out(STRANGER)
    program.assert_logged(
        f"the peer belongs to uid {STRANGER}, and the program has capabilities (400){OTHERS_ONLY}",
        f"the peer belongs to uid {STRANGER} and lacks capabilities of the program (400)"
        + OTHERS_ONLY,
    )


def test_a_thread_that_is_still_root_counts(start: Start) -> None:
    """Each thread has its own uids; only the C library changes those of all threads at once."""
    if platform.machine() not in SETRESUID:
        pytest.skip("the number of a system call is not known")
    alone = f"ctypes.CDLL(None).syscall({SETRESUID[platform.machine()]}, *[{STRANGER}] * 3)"
    gids = f"os.setresgid(*[{STRANGER}] * 3)"
    program = start(f"import ctypes; {gids}; start_thread(lambda: None); {alone}")
    assert program.keeps_out(STRANGER)
    assert program.lets_in(0) == program.every()
    why = f"the peer belongs to uid {STRANGER}, and the program has uids from 0 to {STRANGER}"
    program.assert_logged(why + OTHERS_ONLY)


# ---- Without /proc -------------------------------------------------------------------------------


def test_without_proc_only_root_is_admitted(start: Start, socket_dir: Path) -> None:
    program = start(f"os.chroot({str(socket_dir)!r}); {become()}")
    assert program.keeps_out(STRANGER)
    assert program.lets_in(0) == program.every()
    rights = "the rights of the program cannot be read from /proc"
    why = f"the peer belongs to uid {STRANGER}, and {rights}"
    program.assert_logged(why + OTHERS_ONLY)
