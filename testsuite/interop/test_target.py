# SPDX-License-Identifier: BSD-3-Clause
"""The address of the debuggee on the command line: its forms, and messages about wrong ones."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Debuggee, pystuck

Start = Callable[..., Debuggee]


def assert_wrong(told: str, *arguments: object) -> None:
    """Checks that the client does not connect, and says in one line what is wrong."""
    done = pystuck(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"pystuck: {told}\n"


def assert_tried(where: str, *arguments: object) -> None:
    """Checks that the client tried to connect to this address, on which nothing listens."""
    done = pystuck(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"pystuck: nothing listens on {where}: run pystuck --list ")
    assert len(done.stderr.splitlines()) == 1


# ---- What is right -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "host"),
    [
        ("{port}", "127.0.0.1"),
        ("0000{port}", "127.0.0.1"),
        ("127.0.0.2:{port}", "127.0.0.2"),
        ("localhost:{port}", "localhost"),
        ("LOCALHOST:{port}", "LOCALHOST"),
        ("[::1]:{port}", "[::1]"),
        ("[::ffff:127.0.0.1]:{port}", "[::ffff:127.0.0.1]"),
        ("127.0.0.2 {port}", "127.0.0.2"),
        ("localhost {port}", "localhost"),
        ("::1 {port}", "[::1]"),
        ("[::1] {port}", "[::1]"),
        ("--port {port}", "127.0.0.1"),
        ("--port {port} 127.0.0.2", "127.0.0.2"),
        ("127.0.0.2 --port {port}", "127.0.0.2"),
        ("--port {port} ::1", "[::1]"),
        ("--host 127.0.0.2 --port {port}", "127.0.0.2"),
        ("--host 127.0.0.2 {port}", "127.0.0.2"),
        ("--host ::1 --port {port}", "[::1]"),
        ("--host [::1] --port {port}", "[::1]"),
        ("--host localhost {port}", "localhost"),
    ],
)
def test_a_host_and_a_port_can_be_written_in_many_ways(
    ipv6: None, free_port: int, arguments: str, host: str
) -> None:
    assert_tried(f"{host}:{free_port}", *arguments.format(port=free_port).split())


@pytest.mark.parametrize("target", ["127.0.0.77", "127.0.0.77:6666"])
def test_a_host_alone_has_the_default_port(target: str) -> None:
    with socket.socket() as sock:
        if sock.connect_ex(("127.0.0.77", 6666)) == 0:
            pytest.skip("something listens on port 6666 here")
    assert_tried("127.0.0.77:6666", target)


@pytest.mark.parametrize("target", ["::1", "[::1]", "::0:1", "0:0:0:0:0:0:0:1"])
def test_an_ipv6_address_alone_has_the_default_port(ipv6: None, target: str) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        if sock.connect_ex(("::1", 6666)) == 0:
            pytest.skip("something listens on port 6666 here")
    assert_tried(f"[{target.strip('[]')}]:6666", target)


def test_more_than_one_colon_without_brackets_is_an_address_and_no_port(ipv6: None) -> None:
    done = pystuck("2001:db8::1:7101", "--timeout=2")
    assert done.returncode in (1, 2)
    assert "[2001:db8::1:7101]:6666" in done.stderr


@pytest.mark.parametrize("target", ["fe80::1%lo", "[fe80::1%lo]", "[fe80::1%lo]:6666"])
def test_an_ipv6_address_may_have_a_scope(ipv6: None, target: str) -> None:
    done = pystuck(target, "--timeout=2")
    assert done.returncode == 2
    assert done.stderr.startswith("pystuck: cannot reach [fe80::1%lo]:6666: ")


@pytest.mark.parametrize("spelling", ["unix:{path}", "--unix-socket={path}"])
def test_unix_sockets(socket_dir: Path, spelling: str) -> None:
    for path in (
        socket_dir / "none",
        socket_dir / "with blanks",
        socket_dir / "with:colons:7101",
        os.path.relpath(socket_dir / "none"),
        "6666",
        str(socket_dir / "x").ljust(107, "x"),
    ):
        done = pystuck(spelling.format(path=path))
        assert done.returncode == 2
        assert done.stderr.startswith(f"pystuck: there is no socket {path}: run pystuck --list ")
    assert_tried("@not in use", spelling.format(path="@not in use"))
    longest = "@" + "x" * 106
    assert_tried(longest, spelling.format(path=longest))


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix", "abstract", "relative"])
def test_each_kind_of_target_leads_to_its_server(
    request: pytest.FixtureRequest, start_debuggee: Start, socket_dir: Path, kind: str
) -> None:
    if kind == "ipv6":
        request.getfixturevalue("ipv6")
    path = f"@target {os.getpid()}" if kind == "abstract" else str(socket_dir / "s: 1")
    where = {"ipv4": {"host": "127.0.0.1"}, "ipv6": {"host": "::1"}}
    debuggee = start_debuggee(**where.get(kind, {"unix_socket": path}))
    target = {
        "ipv4": f"127.0.0.1:{debuggee.port}",
        "ipv6": f"[::1]:{debuggee.port}",
        "relative": f"unix:{os.path.relpath(path)}",
    }.get(kind, f"unix:{path}")
    done = pystuck(target, "-c", "6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    if kind == "ipv4":
        assert pystuck(debuggee.port, "-c", "6 * 7").stdout == "42\n"


# ---- What is wrong -------------------------------------------------------------------------------

HOST = "invalid host '{}': expected a name or an IPv4 or IPv6 address"
BRACKETS = "invalid address '{}': expected [IPv6 address]:port"
COLONS = "invalid address '{}': write an IPv6 address with a port as [::1]:6666"
LONG = "invalid host '" + "x" * 32 + "...': expected at most 253 characters"
EMPTY = "invalid address '': expected host, host:port, [v6]:port, port or unix:PATH"
NO_PATH = "invalid Unix socket '{}': expected a path, or @NAME for an abstract socket"


def too_long(path: str) -> str:
    """The message about a path that is too long."""
    return (
        f"invalid Unix socket '{path[:32]}...': expected at most 107 bytes, but the path has "
        f"{len(path)}"
    )


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("", EMPTY),
        (" ", HOST),
        (":", HOST),
        (":7101", HOST),
        (" 7101", HOST),
        ("7101 ", HOST),
        ("host name", HOST),
        ("127.0.0.1 7101", HOST),
        ("127.0.0.1:7101 ", "invalid port '7101 ': expected 1 to 65535"),
        ("127.0.0.1: 7101", "invalid port ' 7101': expected 1 to 65535"),
        ("host\t", HOST),
        ("host\x1b[31m", HOST),
        ("user@host", HOST),
        ("http://host", "invalid port '//host': expected 1 to 65535"),
        ("h]", HOST),
        ("h[::1]", COLONS),
        ("host:", "invalid port '': expected 1 to 65535"),
        ("host:0", "invalid port '0': expected 1 to 65535"),
        ("host:00", "invalid port '00': expected 1 to 65535"),
        ("host:65536", "invalid port '65536': expected 1 to 65535"),
        ("host:99999", "invalid port '99999': expected 1 to 65535"),
        ("host:-1", "invalid port '-1': expected 1 to 65535"),
        ("host:+1", "invalid port '+1': expected 1 to 65535"),
        ("host:abc", "invalid port 'abc': expected 1 to 65535"),
        ("host:0x10", "invalid port '0x10': expected 1 to 65535"),
        ("host:66.6", "invalid port '66.6': expected 1 to 65535"),
        ("0", "invalid port '0': expected 1 to 65535"),
        ("70000", "invalid port '70000': expected 1 to 65535"),
        (str(2**64 + 80), f"invalid port '{2**64 + 80}': expected 1 to 65535"),
        ("9" * 100, f"invalid port '{'9' * 64}': expected 1 to 65535"),
        ("::1 6666", COLONS),
        ("::1:xyz", COLONS),
        ("a:b:1", COLONS),
        ("127.0.0.1:1:2", COLONS),
        (":::1", COLONS),
        ("[", BRACKETS),
        ("[]", BRACKETS),
        ("[]:7101", BRACKETS),
        ("[::1", BRACKETS),
        ("[::1]7101", BRACKETS),
        ("[::1] ", BRACKETS),
        ("[host]:7101", BRACKETS),
        ("[127.0.0.1]:7101", BRACKETS),
        ("[fe80::1%]:7101", BRACKETS),
        ("[fe80::1%a b]:7101", BRACKETS),
        ("fe80::1%a/b", COLONS),
        ("[::1]:", "invalid port '': expected 1 to 65535"),
        ("[::1]:x", "invalid port 'x': expected 1 to 65535"),
        ("x" * 254, LONG),
        ("x" * 254 + ":7101", LONG),
        ("/run/app.sock", "invalid host '{}': for a Unix socket, type unix:{}"),
        ("./app.sock", "invalid host '{}': for a Unix socket, type unix:{}"),
        ("/run/a:b", "invalid host '{}': for a Unix socket, type unix:{}"),
        ("@name", "invalid host '{}': for a Unix socket, type unix:{}"),
        ("unix:", NO_PATH.format("")),
        ("unix:@", NO_PATH.format("@")),
        ("unix:/" + "x" * 107, too_long("/" + "x" * 107)),
        ("unix:@" + "x" * 107, too_long("@" + "x" * 107)),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_wrong_target_is_a_line_that_says_what_is_expected(target: str, told: str) -> None:
    assert_wrong(told.format(target, target), "--", target)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "abc"], "invalid port 'abc': expected 1 to 65535"),
        (["--port", "70000"], "invalid port '70000': expected 1 to 65535"),
        (["--port", "0"], "invalid port '0': expected 1 to 65535"),
        (["--port", "-1"], "invalid port '-1': expected 1 to 65535"),
        (["--port", ""], "invalid port '': expected 1 to 65535"),
        (["127.0.0.1", "abc"], "invalid port 'abc': expected 1 to 65535"),
        (["127.0.0.1", ""], "invalid port '': expected 1 to 65535"),
        (["127.0.0.1", "127.0.0.2"], "invalid port '127.0.0.2': expected 1 to 65535"),
        (["--host", ""], HOST.format("")),
        (["--host", "127.0.0.1:7101"], HOST.format("127.0.0.1:7101")),
        (["--host", "/run/s"], "invalid host '/run/s': for a Unix socket, type unix:/run/s"),
        (["--unix-socket", ""], NO_PATH.format("")),
        (["--unix-socket", "/" + "x" * 107], too_long("/" + "x" * 107)),
        (["127.0.0.1:7101", "7102"], "the port is given twice: '7101' and '7102'"),
        (["127.0.0.1:7101", "--port=7101"], "the port is given twice: '7101' and '7101'"),
        (["7101", "7102"], "the port is given twice: '7101' and '7102'"),
        (["7101", "--port=7102"], "the port is given twice: '7101' and '7102'"),
        (["h", "7101", "--port=7102"], "the port is given twice: '7101' and '7102'"),
        (["[::1]:7101", "7102"], "the port is given twice: '7101' and '7102'"),
        (["a", "--host=b"], "the host is given twice: 'a' and 'b'"),
        (["a:1", "--host=b"], "the host is given twice: 'a' and 'b'"),
        (["unix:/s", "7101"], "a Unix socket has no port: '7101'"),
        (["unix:/s", "--port=7101"], "a Unix socket cannot be combined with another address"),
        (["unix:/s", "--host=h"], "a Unix socket cannot be combined with another address"),
        (
            ["unix:/s", "--unix-socket=/s"],
            "a Unix socket cannot be combined with another address",
        ),
        (["--unix-socket=/s", "7101"], "a Unix socket cannot be combined with another address"),
        (
            ["--unix-socket=/s", "--port=7101"],
            "a Unix socket cannot be combined with another address",
        ),
        (["--pid=1", "7101"], "--pid cannot be combined with an address"),
        (["--pid=1", "unix:/s"], "--pid cannot be combined with an address"),
        (["--pid=1", "--host=h"], "--pid cannot be combined with an address"),
        (["--pid=0"], f"invalid process ID '0': expected 1 to {2**31 - 1}"),
        (["--pid=x"], f"invalid process ID 'x': expected 1 to {2**31 - 1}"),
        (
            ["--list", "unix:/s"],
            "--list shows all processes: it cannot be combined with an address or --pid",
        ),
        (["h", "1", "2"], "one argument too many: '2'"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_addresses_that_cannot_be_combined_are_a_line_that_says_so(
    arguments: list[str], told: str
) -> None:
    assert_wrong(told, *arguments)


def test_a_host_that_does_not_exist_is_one_line() -> None:
    for arguments in (["no-such-host.invalid"], ["no-such-host.invalid:7101"]):
        done = pystuck(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("pystuck: cannot connect to no-such-host.invalid:")
