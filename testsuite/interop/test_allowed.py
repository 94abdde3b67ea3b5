# SPDX-License-Identifier: BSD-3-Clause
"""The arguments of run_server that admit more users: allow_users, unix_mode, unix_group, insecure.

Without them only root and the debuggee's own user are admitted.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    STRANGER,
    Debuggee,
    as_user,
    command,
    debuggee_environment,
    each_ends_well,
    python,
    start_error,
)
from rawpeer import connect_socket
from strangers import is_let_in, keeps_out, lets_in

Start = Callable[..., Debuggee]

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user: run these tests as root"
)

#: A uid without a name, which is neither root nor STRANGER.
FRIEND = 65532

#: A group id without a name.
GROUP = 65531


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program that prints what it logs: start(user=..., umask=..., **options).

    After the test the program must go on as if there were no server. It must not have printed more
    records than the test has read.
    """
    with each_ends_well() as started:

        def start_it(
            user: int | None = None,
            umask: int = 0o022,
            prefix: tuple[str, ...] = (),
            **options: Any,
        ) -> Debuggee:
            more = {"umask": umask} if user is None else {"umask": umask, "user": user}
            options.setdefault("port", 0)
            argv = command("logged.py", json.dumps(options), json.dumps(more))
            started.append(Debuggee([*prefix, *argv], debuggee_environment()))
            return started[-1]

        yield start_it


@pytest.fixture(params=["ipv4", "ipv6", "unix", "abstract"])
def place(request: pytest.FixtureRequest, socket_dir: Path) -> dict[str, Any]:
    """Returns the arguments of run_server for each kind of address."""
    if request.param == "ipv6":
        request.getfixturevalue("ipv6")
    return {
        "ipv4": {"host": "127.0.0.1"},
        "ipv6": {"host": "::1"},
        "unix": {"unix_socket": str(socket_dir / "s")},
        "abstract": {"unix_socket": f"@pystuck-test-{os.getpid()}"},
    }[request.param]


def mode_of(debuggee: Debuggee) -> int:
    return stat.S_IMODE(os.stat(str(debuggee.unix_socket)).st_mode)


def assert_refused(debuggee: Debuggee, why: str) -> None:
    """Checks that the program logged this reason."""
    assert debuggee.read_line() == f"WARNING a client was refused: {why}"


# ---- allow_users ---------------------------------------------------------------------------------


@needs_root
def test_only_allowed_users_are_admitted(start: Start, place: dict[str, Any]) -> None:
    debuggee = start(**place, allow_users=[FRIEND, 12345])
    assert lets_in(debuggee, FRIEND)
    assert lets_in(debuggee, 12345)
    assert is_let_in(debuggee)
    assert keeps_out(debuggee)
    assert_refused(debuggee, f"the peer belongs to uid {STRANGER}")


@needs_root
def test_users_can_be_allowed_by_name(start: Start, place: dict[str, Any]) -> None:
    user = next(entry for entry in pwd.getpwall() if 0 < entry.pw_uid < 60000)
    debuggee = start(**place, allow_users=[user.pw_name])
    assert lets_in(debuggee, user.pw_uid)
    assert keeps_out(debuggee, FRIEND)
    assert_refused(debuggee, f"the peer belongs to uid {FRIEND}")


@needs_root
def test_an_empty_list_admits_no_other_user(start: Start, place: dict[str, Any]) -> None:
    debuggee = start(**place, allow_users=[])
    if Path(str(debuggee.unix_socket)).exists():
        assert mode_of(debuggee) == 0o600
        os.chmod(str(debuggee.unix_socket), 0o666)
    assert keeps_out(debuggee, FRIEND)
    assert_refused(debuggee, f"the peer belongs to uid {FRIEND}")


@needs_root
def test_the_debuggees_own_user_is_admitted_though_allow_users_does_not_name_it(
    start: Start, place: dict[str, Any], socket_dir: Path
) -> None:
    os.chown(socket_dir, STRANGER, STRANGER)
    debuggee = start(user=STRANGER, **place, allow_users=[FRIEND])
    for user in (STRANGER, FRIEND, 0):
        assert lets_in(debuggee, user)


def test_with_allow_users_the_default_mode_of_a_unix_socket_is_0666(
    start: Start, socket_dir: Path
) -> None:
    assert mode_of(start(unix_socket=str(socket_dir / "a"), allow_users=[FRIEND])) == 0o666
    debuggee = start(unix_socket=str(socket_dir / "b"), allow_users=[FRIEND], unix_mode=0o660)
    assert mode_of(debuggee) == 0o660


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """Returns a command that runs a program in a user namespace where only root has an id."""
    command = ("unshare", "--user", "--map-root-user")
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    return command


@needs_root
def test_users_without_an_id_in_a_user_namespace_are_refused(
    start: Start, place: dict[str, Any], namespace: tuple[str, ...]
) -> None:
    debuggee = start(prefix=namespace, **place, allow_users=[FRIEND])
    assert is_let_in(debuggee)
    assert keeps_out(debuggee, FRIEND)
    assert_refused(debuggee, "the peer's user has no id in this user namespace")


@needs_root
def test_users_without_an_id_are_refused_though_their_group_has_one(
    start: Start, namespace: tuple[str, ...], socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    debuggee = start(prefix=namespace, unix_socket=path, unix_group=0, unix_mode=0o666)
    assert keeps_out(debuggee, FRIEND, gid=0)
    assert_refused(debuggee, "the peer's user has no id in this user namespace")


# ---- unix_mode and unix_group --------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0o700])
@pytest.mark.parametrize("umask", [0, 0o022, 0o777], ids=oct)
@pytest.mark.rotates(3)
def test_the_umask_does_not_change_unix_mode(
    mode: int, umask: int, start: Start, socket_dir: Path
) -> None:
    debuggee = start(umask=umask, unix_socket=str(socket_dir / "s"), unix_mode=mode)
    assert mode_of(debuggee) == mode


@needs_root
def test_a_mode_alone_admits_no_other_user(start: Start, socket_dir: Path) -> None:
    debuggee = start(unix_socket=str(socket_dir / "s"), unix_mode=0o666)
    assert keeps_out(debuggee)
    assert_refused(debuggee, f"the peer belongs to uid {STRANGER}")


MANY = list(range(70000, 70500))

MEMBERS = {
    "main": {"gid": GROUP},
    "supplementary": {"groups": [GROUP]},
    "one of many": {"groups": [*MANY, GROUP]},
}

STRANGERS = {"none": {}, "another": {"groups": [GROUP - 1]}, "many others": {"groups": MANY}}


@needs_root
@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("where", ["file", "abstract"])
def test_members_of_unix_group_are_admitted(
    member: str, where: str, start: Start, socket_dir: Path
) -> None:
    path = str(socket_dir / "s") if where == "file" else f"@pystuck-test-{os.getpid()}"
    debuggee = start(unix_socket=path, unix_group=GROUP)
    assert lets_in(debuggee, STRANGER, **MEMBERS[member])
    assert is_let_in(debuggee)
    if where == "file":
        assert (os.stat(path).st_gid, mode_of(debuggee)) == (GROUP, 0o660)


@needs_root
@pytest.mark.parametrize("stranger", STRANGERS)
def test_users_outside_unix_group_are_refused_in_spite_of_the_mode(
    stranger: str, start: Start, socket_dir: Path
) -> None:
    debuggee = start(unix_socket=str(socket_dir / "s"), unix_group=GROUP, unix_mode=0o666)
    assert keeps_out(debuggee, STRANGER, **STRANGERS[stranger])
    assert_refused(debuggee, f"the peer belongs to uid {STRANGER}")


@needs_root
def test_unix_group_can_be_a_name(start: Start, socket_dir: Path) -> None:
    debuggee = start(unix_socket=str(socket_dir / "s"), unix_group="daemon", allow_users=[FRIEND])
    gid = os.stat(str(debuggee.unix_socket)).st_gid
    assert lets_in(debuggee, STRANGER, groups=[gid])
    assert lets_in(debuggee, FRIEND)
    assert mode_of(debuggee) == 0o666


#: Starts a server with unix_group 65534, which pystuck.run_server does not accept.
BARE = """
import json, sys
import _pystuck
import pystuck
settings = pystuck._run.native_settings(pystuck._server_options.check({"unix_socket": sys.argv[1]}))
server = _pystuck.run_server({**settings, "unix_group": 65534, "unix_mode": 0o666})
print(json.dumps({"unix_socket": server.unix_socket}), flush=True)
sys.stdin.readline()
print("went on", flush=True)
"""


@needs_root
def test_the_group_of_all_groups_without_an_id_is_not_admitted(socket_dir: Path) -> None:
    argv = [python(), "-c", BARE, str(socket_dir / "s")]
    debuggee = Debuggee(argv, debuggee_environment())
    try:
        assert keeps_out(debuggee, STRANGER, gid=65534)
        assert keeps_out(debuggee, STRANGER, groups=[65534])
        assert is_let_in(debuggee)
        debuggee.end_well()
    finally:
        debuggee.kill()


@needs_root
def test_a_unix_group_that_chown_does_not_permit_is_an_error(
    start: Start, socket_dir: Path
) -> None:
    os.chown(socket_dir, STRANGER, STRANGER)
    path = str(socket_dir / "s")
    debuggee = start(user=STRANGER, unix_socket=path, unix_group=GROUP)
    assert debuggee.told == {
        "error": f"PermissionError: [Errno 1] Operation not permitted: {path} (the program's user "
        "must be root or a member of unix_group)"
    }
    assert not os.path.exists(path)


@needs_root
def test_the_replacement_of_a_dead_unix_socket_has_the_requested_mode_and_group(
    start: Start, socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    os.chmod(path, 0o666)
    debuggee = start(unix_socket=path, unix_group=GROUP)
    assert (os.stat(path).st_gid, mode_of(debuggee)) == (GROUP, 0o660)
    assert start(unix_socket=path, unix_mode=0o666).told == {
        "error": f"OSError: [Errno 98] Address already in use: {path}"
    }
    assert (os.stat(path).st_gid, mode_of(debuggee)) == (GROUP, 0o660)


# ---- insecure ------------------------------------------------------------------------------------


def outer_address() -> str:
    """Returns an address of this machine that is not a loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has only loopback addresses")
        return sock.getsockname()[0]


@needs_root
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "", "localhost"])
def test_an_insecure_server_admits_every_user(host: str, start: Start) -> None:
    debuggee = start(host=host, insecure=True)
    debuggee.host = "127.0.0.1"
    assert lets_in(debuggee, STRANGER)
    assert is_let_in(debuggee)


def test_an_insecure_server_may_listen_on_an_outer_address(start: Start) -> None:
    address = outer_address()
    debuggee = start(host="0.0.0.0", insecure=True)
    debuggee.host = address
    assert is_let_in(debuggee)
    debuggee = start(host=address, insecure=True)
    assert debuggee.host == address
    assert is_let_in(debuggee)


@needs_root
def test_insecure_false_is_the_default(start: Start) -> None:
    debuggee = start(insecure=False)
    assert keeps_out(debuggee)
    assert_refused(debuggee, f"the peer belongs to uid {STRANGER}")


def test_a_refused_client_gets_no_bytes(start: Start, socket_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    debuggee = start(unix_socket=str(socket_dir / "s"), allow_users=[FRIEND])

    def reads() -> bytes:
        with connect_socket(debuggee) as sock:
            return sock.recv(100)

    assert as_user(STRANGER, reads) == b""
    line = debuggee.read_line()
    assert line == f"WARNING a client was refused: the peer belongs to uid {STRANGER}"


# ---- Invalid arguments ---------------------------------------------------------------------------

SOCKET = "'unix_socket': '@pystuck-test-{pid}'"

#: The name of the user who stands for all users without an id in a user namespace.
OVERFLOW_USER = pwd.getpwuid(65534).pw_name

REFUSED = {
    "{'host': '0.0.0.0'}": "ValueError: 0.0.0.0 is not a loopback address.",
    "{'host': '0.0.0.0', 'insecure': False}": "ValueError: 0.0.0.0 is not a loopback address.",
    "{'host': '0.0.0.0', 'allow_users': [5]}": "ValueError: 0.0.0.0 is not a loopback address.",
    "{'insecure': 1}": "TypeError: invalid insecure 1: expected True or False",
    "{'insecure': 'no'}": "TypeError: invalid insecure 'no': expected True or False",
    "{'insecure': True, 'allow_users': [5]}": "ValueError: allow_users cannot be combined with ",
    "{'allow_users': 'root'}": "TypeError: invalid allow_users 'root': expected a list of names",
    "{'allow_users': b'root'}": "TypeError: invalid allow_users b'root': expected a list of names",
    "{'allow_users': 5}": "TypeError: invalid allow_users 5: expected a list of names and ids of",
    "{'allow_users': [True]}": "TypeError: invalid item of allow_users True: expected the name or",
    "{'allow_users': [1.5]}": "TypeError: invalid item of allow_users 1.5: expected the name or id",
    "{'allow_users': [None]}": "TypeError: invalid item of allow_users None: expected the name or",
    "{'allow_users': ['no such user']}": (
        "ValueError: invalid item of allow_users 'no such user': expected the name or id of a user"
    ),
    "{'allow_users': [-1]}": "ValueError: invalid item of allow_users -1: expected the name or i",
    "{'allow_users': [2**32 - 1]}": "ValueError: invalid item of allow_users 4294967295: expected",
    "{'allow_users': [65534]}": "ValueError: invalid item of allow_users 65534: expected another",
    f"{{'allow_users': [{OVERFLOW_USER!r}]}}": (
        f"ValueError: invalid item of allow_users {OVERFLOW_USER!r}: expected another"
    ),
    "{'unix_mode': 0o660}": "ValueError: unix_mode needs unix_socket: without unix_socket, the",
    "{'unix_group': 5}": "ValueError: unix_group needs unix_socket: without unix_socket, the",
    f"{{{SOCKET}, 'insecure': True}}": "ValueError: insecure cannot be combined with unix_socket: ",
    f"{{{SOCKET}, 'unix_mode': 0o660}}": "ValueError: unix_mode cannot be combined with an abstra",
    "{'unix_socket': 's', 'unix_mode': '0660'}": (
        "TypeError: invalid unix_mode '0660': expected a file mode from 0o600 to 0o777"
    ),
    "{'unix_socket': 's', 'unix_mode': True}": "TypeError: invalid unix_mode True: expected a file",
    "{'unix_socket': 's', 'unix_mode': 660}": "ValueError: invalid unix_mode 0o1224: expected a fi",
    "{'unix_socket': 's', 'unix_mode': -1}": "ValueError: invalid unix_mode -0o1: expected a file",
    "{'unix_socket': 's', 'unix_mode': 0o466}": "ValueError: invalid unix_mode 0o466: expected a f",
    "{'unix_socket': 's', 'unix_mode': 0}": "ValueError: invalid unix_mode 0o0: expected a file mo",
    f"{{{SOCKET}, 'unix_group': 'no such group'}}": (
        "ValueError: invalid unix_group 'no such group': expected the name or id of a group"
    ),
    f"{{{SOCKET}, 'unix_group': 1.5}}": "TypeError: invalid unix_group 1.5: expected the name or",
    f"{{{SOCKET}, 'unix_group': True}}": "TypeError: invalid unix_group True: expected the name or",
    f"{{{SOCKET}, 'unix_group': -1}}": "ValueError: invalid unix_group -1: expected the name or id",
    f"{{{SOCKET}, 'unix_group': 65534}}": "ValueError: invalid unix_group 65534: expected another",
}


@pytest.mark.parametrize("arguments", REFUSED)
@pytest.mark.rotates(4)
def test_the_error_names_the_invalid_argument(arguments: str, tmp_path: Path) -> None:
    error = start_error(arguments, f"import os; os.chdir({str(tmp_path)!r})\n")
    assert str(error).startswith(REFUSED[arguments]), error
    assert list(tmp_path.iterdir()) == []


def test_the_error_for_an_outer_address_names_the_alternatives() -> None:
    error = str(start_error("{'host': '0.0.0.0'}"))
    for word in ("127.0.0.1", "unix_socket", "SSH", "certfile", "ca_certs", "insecure=True"):
        assert word in error
