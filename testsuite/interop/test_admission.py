# SPDX-License-Identifier: BSD-3-Clause
"""Only the debuggee's own user and root are admitted. See doc/security.md."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import strangers
from harness import STRANGER, Debuggee, as_user, wait_until
from rawpeer import Handler, RawPeer, Ref, box, connect_socket, raw_connect
from strangers import is_let_in, keeps_out, lets_in

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user: run these tests as root"
)

#: The uid of a client that is neither root nor the debuggee's user, if that is STRANGER.
THIRD_USER = 65532


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def serve(
    request: pytest.FixtureRequest, start_debuggee: Start, socket_dir: Path
) -> Callable[..., Debuggee]:
    """Starts a debuggee on each kind of address. serve(uid) runs it as this user."""
    if request.param == "ipv6":
        request.getfixturevalue("ipv6")

    def start(user: int = 0) -> Debuggee:
        options = {
            "ipv4": {"host": "127.0.0.1"},
            "ipv6": {"host": "::1"},
            "unix": {"unix_socket": str(socket_dir / "s")},
        }[request.param]
        if user:
            os.chown(socket_dir, user, user)
        arguments = (str(user),) if user else ()
        debuggee = start_debuggee(arguments=arguments, **options)
        if debuggee.unix_socket:
            # The mode of the file must not keep users out: the test is for the server's own check.
            os.chmod(debuggee.unix_socket, 0o666)
        return debuggee

    return start


def is_disconnected(debuggee: Debuggee) -> bool:
    """Connects as the present user; returns True if the server closes the connection at once."""
    with contextlib.closing(connect_socket(debuggee)) as sock:
        try:
            return sock.recv(1) == b""
        except ConnectionError:
            return True


def test_root_is_admitted(serve: Callable[..., Debuggee]) -> None:
    assert is_let_in(serve())


def test_another_user_is_refused(serve: Callable[..., Debuggee]) -> None:
    debuggee = serve()
    assert keeps_out(debuggee)
    assert is_let_in(debuggee)


def test_another_user_is_refused_without_reading_its_data(
    serve: Callable[..., Debuggee],
) -> None:
    debuggee = serve()
    before = debuggee.holdings()
    assert as_user(STRANGER, lambda: is_disconnected(debuggee)) is True
    debuggee.wait_until_back_to(before)


def test_the_debuggees_own_user_is_admitted(serve: Callable[..., Debuggee]) -> None:
    debuggee = serve(STRANGER)
    assert debuggee.status("Uid").split() == [str(STRANGER)] * 4
    assert lets_in(debuggee, STRANGER)


def test_root_is_admitted_by_a_debuggee_of_another_user(serve: Callable[..., Debuggee]) -> None:
    assert is_let_in(serve(STRANGER))


def test_a_third_user_is_refused_by_a_debuggee_of_another_user(
    serve: Callable[..., Debuggee],
) -> None:
    debuggee = serve(STRANGER)
    assert keeps_out(debuggee, THIRD_USER)
    assert as_user(THIRD_USER, lambda: is_disconnected(debuggee)) is True


def test_many_refused_users_do_not_keep_root_out(serve: Callable[..., Debuggee]) -> None:
    debuggee = serve()
    before = debuggee.holdings()

    def knock() -> bool:
        socks = [connect_socket(debuggee) for _ in range(200)]
        for sock in socks:
            with contextlib.suppress(ConnectionError):
                assert sock.recv(1) == b""
            sock.close()
        return True

    assert as_user(STRANGER, knock)
    strangers.count(200, are_in=False)
    assert is_let_in(debuggee)
    debuggee.wait_until_back_to(before)


def test_a_program_that_gives_up_root_later_belongs_to_its_new_user(
    start_debuggee: Start,
) -> None:
    code = f"import os; os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})"
    debuggee = start_debuggee("plain.py", arguments=(code,))
    uids = {
        (Path("/proc") / str(debuggee.pid) / "task" / str(thread) / "status")
        .read_text()
        .partition("Uid:")[2]
        .split()[0]
        for thread in debuggee.threads()
    }
    assert uids == {str(STRANGER)}
    assert lets_in(debuggee, STRANGER)
    assert keeps_out(debuggee, THIRD_USER)
    assert is_let_in(debuggee)


def test_the_user_of_an_ipv4_mapped_ipv6_socket_is_found(start_debuggee: Start, ipv6: None) -> None:
    debuggee = start_debuggee()
    debuggee.host = "::ffff:127.0.0.1"
    assert is_let_in(debuggee)
    assert keeps_out(debuggee)


def test_the_mode_of_a_unix_socket_keeps_other_users_out(
    start_debuggee: Start, socket_dir: Path
) -> None:
    debuggee = start_debuggee(unix_socket=str(socket_dir / "s"))

    def is_denied() -> bool:
        try:
            connect_socket(debuggee).close()
        except PermissionError:
            return True
        return False

    assert as_user(STRANGER, is_denied) is True


# ---- The orphaned socket -------------------------------------------------------------------------
#
# For a connection that its client has closed, the kernel reports uid 0. The data that the client
# had sent can still be read.


def blind_session(peer: RawPeer, root: Ref, path: Path) -> bytes:
    """Returns requests that create a file, which can be sent without waiting for an answer."""
    text = f"open({str(path)!r}, 'w').close()"
    return b"".join(
        [
            peer.request_frame(Handler.GETROOT, box(())),
            peer.request_frame(Handler.CALLATTR, box((root, "execute", (text,)))),
            peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))),
        ]
    )


def send_and_leave(debuggee: Debuggee, root: Ref, path: Path, how: str) -> None:
    """Connects, sends blind_session(), and closes the connection at once, in the way `how`."""
    with raw_connect(debuggee) as peer:
        data = blind_session(peer, root, path)
        with contextlib.suppress(ConnectionError, OSError):
            peer.send(data)
            if how == "half":
                peer.sock.shutdown(socket.SHUT_WR)
            elif how == "both":
                peer.sock.shutdown(socket.SHUT_RDWR)
            elif how == "reset":
                linger = struct.pack("ii", 1, 0)
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


WAYS_TO_LEAVE = ("close", "half", "both", "reset")


def root_of(debuggee: Debuggee) -> Ref:
    """Returns the id pack of the service in a new connection."""
    with raw_connect(debuggee) as peer:
        return peer.root()


@contextlib.contextmanager
def stopped(debuggee: Debuggee) -> Iterator[None]:
    """Stops the debuggee, so that clients have disconnected when it accepts their connections."""
    os.kill(debuggee.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: debuggee.status("State").startswith("T"), "the debuggee to stop")
        yield
    finally:
        os.kill(debuggee.pid, signal.SIGCONT)


def has_left(debuggee: Debuggee) -> bool:
    """Returns True if no closed connection to the debuggee still waits for the ACK of its FIN."""
    fin_wait_1 = "04"
    for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in path.read_text().splitlines()[1:]:
            _, _, remote, state = line.split()[:4]
            if state == fin_wait_1 and int(remote.rpartition(":")[2], 16) == debuggee.port:
                return False
    return True


def test_requests_of_a_refused_user_who_disconnects_at_once_are_not_executed(
    serve: Callable[..., Debuggee], tmp_path: Path
) -> None:
    debuggee = serve()
    before = debuggee.holdings()
    path = tmp_path / "created"

    # Without a reply, a client has to guess the id pack of the service. Root shows that this works.
    def root_can_guess() -> bool:
        with raw_connect(debuggee) as peer:
            peer.send(blind_session(peer, root, path))
            for _ in range(3):
                assert peer.answer() is not None
        debuggee.wait_until_back_to(before)
        return path.exists()

    for _ in range(20):
        root = root_of(debuggee)
        debuggee.wait_until_back_to(before)
        if root_can_guess():
            break
    else:
        pytest.skip("the id pack of the service cannot be guessed, so this test shows nothing")
    path.unlink()

    for how in WAYS_TO_LEAVE * 4:
        root = root_of(debuggee)
        debuggee.wait_until_back_to(before)
        with stopped(debuggee):
            as_user(STRANGER, lambda root=root, how=how: send_and_leave(debuggee, root, path, how))
            wait_until(lambda: has_left(debuggee), "the kernel to close the user's connection")
        debuggee.wait_until_back_to(before)
    # The last connection may still be in the queue; the server accepts it before the next one.
    assert is_let_in(debuggee)
    strangers.count(len(WAYS_TO_LEAVE) * 4, are_in=path.exists())
    assert not path.exists()


def test_requests_of_many_refused_connections_are_not_executed(
    serve: Callable[..., Debuggee], tmp_path: Path
) -> None:
    debuggee = serve()
    before = debuggee.holdings()
    path = tmp_path / "created"
    root = root_of(debuggee)

    def crowd() -> None:
        for number in range(400):
            send_and_leave(debuggee, root, path, WAYS_TO_LEAVE[number % 4])

    as_user(STRANGER, crowd)
    assert is_let_in(debuggee)
    debuggee.wait_until_back_to(before)
    strangers.count(400, are_in=path.exists())
    assert not path.exists()
