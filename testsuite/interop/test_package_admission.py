# SPDX-License-Identifier: BSD-3-Clause
"""The options of python -m pystuck and the variables, such as PYSTUCK_CERTFILE, for admission."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Files
from harness import PATIENCE, STRANGER, Running, as_user, debuggee_environment, python, run_program
from rawpeer import Envelope, RawPeer
from tls_clients import client_files, needs_tls, try_tls

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

FRIEND, GROUP = 65532, 65531

#: Prints what the import of pystuck logs, then the addresses of the servers.
TELL = """
import json, logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import pystuck
servers = [[server.host, server.port, server.unix_socket] for server in pystuck._servers]
print(json.dumps(servers), flush=True)
sys.stdin.readline()
"""

Serve = Callable[..., "Served"]

#: The names of options that differ from the arguments of run_server.
LISTS = {"allow_subjects": "allow_subject", "allow_users": "allow_user"}


def as_options(arguments: dict[str, Any]) -> list[str]:
    """Returns the options of python -m pystuck for these arguments of run_server."""
    options = []
    for name, value in arguments.items():
        option = "--" + LISTS.get(name, name).replace("_", "-")
        if name == "insecure":
            options.append(option)
        else:
            for each in value if isinstance(value, list) else [value]:
                options += [option, str(each)]
    return options


def as_variables(arguments: dict[str, Any]) -> dict[str, str]:
    """Returns the environment variables for these arguments of run_server."""
    return {
        "PYSTUCK_" + name.upper(): ",".join(value) if isinstance(value, list) else str(value)
        for name, value in arguments.items()
    }


class Served(Running):
    """A program that runs TELL. `servers` are the addresses, `logged` the lines of the log."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        super().__init__(argv, env)
        self.logged = []
        line = self.read_line()
        while not line.startswith("["):
            self.logged.append(line)
            line = self.read_line()
        self.servers = json.loads(line)

    @property
    def port(self) -> int:
        ((_, port, _),) = self.servers
        return port

    def is_let_in(self) -> bool:
        """Returns True if the present user gets an answer from the server."""
        ((_, port, path),) = self.servers
        if path is None:
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        else:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
        with RawPeer(sock, Envelope.RPYC6) as peer:
            return peer.works()


@contextlib.contextmanager
def served(*options: str, **variables: str) -> Iterator[Served]:
    """Runs a program with these variables, and with python -m pystuck if there are options.

    The program must end with status 0 and an empty stderr.
    """
    environment = debuggee_environment(
        LD_LIBRARY_PATH=os.environ.get("LIBRPYC_SSL_PATH", ""), **variables
    )
    run = ["-m", "pystuck", *options] if options else []
    program = Served([python(), *run, "-c", TELL], environment)
    try:
        yield program
        program.write("go on\n")
        assert (program.wait(), program.stderr()) == (0, "")
    finally:
        program.kill()


@pytest.fixture(params=["options", "variables"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Starts a program: serve("host:port" or "unix:path", name=value, ...).

    The arguments become options of python -m pystuck, or environment variables.
    """
    with contextlib.ExitStack() as stack:

        def start(address: str, **arguments: Any) -> Served:
            if request.param == "variables":
                variables = {"PYSTUCK": address, **as_variables(arguments)}
                return stack.enter_context(served(**variables))
            kind, _, path = address.partition(":")
            host = ["--unix-socket", path] if kind == "unix" else ["--host", kind, "--port", path]
            return stack.enter_context(served(*host, *as_options(arguments)))

        yield start


# ---- Users ---------------------------------------------------------------------------------------


@needs_root
def test_allow_users_admits_users_by_id_and_by_name(serve: Serve) -> None:
    program = serve("127.0.0.1:0", allow_users=[str(FRIEND), "daemon"])
    assert as_user(FRIEND, program.is_let_in) is True
    assert as_user(1, program.is_let_in) is True
    assert as_user(STRANGER, program.is_let_in) is False


@needs_root
def test_unix_mode_and_unix_group_are_set(serve: Serve, socket_dir: Path) -> None:
    path = socket_dir / "s"
    program = serve(f"unix:{path}", unix_mode="0666", unix_group=str(GROUP))
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o666, GROUP)
    assert as_user(FRIEND, program.is_let_in, gid=GROUP) is True
    assert as_user(STRANGER, program.is_let_in) is False


@needs_root
def test_unix_group_can_be_a_name(serve: Serve, socket_dir: Path) -> None:
    program = serve(f"unix:{socket_dir}/s", unix_group="daemon")
    assert as_user(FRIEND, program.is_let_in, gid=1) is True


def test_unix_mode_is_octal_with_or_without_a_prefix(serve: Serve, socket_dir: Path) -> None:
    for text in ("0660", "660", "0o660"):
        path = socket_dir / f"s{text}"
        assert serve(f"unix:{path}", unix_mode=text).logged == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@needs_root
def test_an_insecure_server_admits_every_user(serve: Serve) -> None:
    program = serve("0.0.0.0:0", insecure=1)
    assert as_user(STRANGER, program.is_let_in) is True


# ---- TLS -----------------------------------------------------------------------------------------


@needs_tls
def test_with_ca_certs_clients_need_a_certificate(serve: Serve, files: Files) -> None:
    program = serve(
        "0.0.0.0:0", certfile=files.server_cert, keyfile=files.server_key, ca_certs=files.ca
    )
    assert try_tls(program.port, **client_files(files)) == "served"
    assert try_tls(program.port) != "served"
    strange = {"keyfile": files.stranger_key, "certfile": files.stranger_cert}
    assert try_tls(program.port, **strange) != "served"


@needs_tls
def test_allow_subjects_and_crl_refuse_certificates(
    serve: Serve, files: Files, tmp_path: Path
) -> None:
    alice, bob, mallory = (files.person(name) for name in ("alice", "bob", "mallory"))
    crl = tmp_path / "crl.pem"
    crl.write_bytes(files.crl(bob["certfile"]))
    program = serve(
        "127.0.0.1:0",
        certfile=files.server_cert,
        keyfile=files.server_key,
        ca_certs=files.ca,
        crl=crl,
        allow_subjects=["bob", "alice"],
    )
    assert try_tls(program.port, **alice) == "served"
    assert try_tls(program.port, **bob) != "served"
    assert try_tls(program.port, **mallory) != "served"


@needs_tls
def test_allow_subjects_can_be_whole_subjects_separated_by_semicolons(files: Files) -> None:
    strict = {
        "certfile": files.server_cert,
        "keyfile": files.server_key,
        "ca_certs": files.ca,
    }
    subject = "CN=alice,OU=Tests,O=Example"
    for text in (subject, f"{subject};bob", f"bob; {subject}"):
        variables = as_variables({**strict, "allow_subjects": text})
        with served(PYSTUCK="127.0.0.1:0", **variables) as program:
            assert try_tls(program.port, **files.person("alice")) == "served"
            assert try_tls(program.port, **files.person("alice", "Elsewhere")) != "served"
            expected = "served" if "bob" in text else "AssertionError"
            assert try_tls(program.port, **files.person("bob")) == expected
    options = as_options({**strict, "allow_subjects": [subject]})
    with served("--port", "0", *options) as program:
        assert try_tls(program.port, **files.person("alice")) == "served"
        assert try_tls(program.port, **files.person("alice", "Elsewhere")) != "served"


@needs_tls
def test_ciphers_are_set(serve: Serve, files: Files) -> None:
    name = "ECDHE-ECDSA-CHACHA20-POLY1305"
    program = serve(
        "127.0.0.1:0", certfile=files.server_cert, keyfile=files.server_key, ciphers=name
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(("127.0.0.1", program.port), PATIENCE)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        assert sock.cipher()[0] == name


# ---- Invalid values ------------------------------------------------------------------------------

#: An address, arguments of which one is invalid, and the error. NAME stands for the name of the
#: option or of the variable.
WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "127.0.0.1:0",
        {"allow_users": "no-such-user"},
        "invalid item of NAME 'no-such-user': expected the name or id of a user",
    ),
    ("127.0.0.1:0", {"allow_users": "65534"}, "invalid item of NAME 65534: expected another user"),
    ("127.0.0.1:0", {"unix_mode": "0660"}, "unix_mode needs unix_socket"),
    ("127.0.0.1:0", {"unix_group": "0"}, "unix_group needs unix_socket"),
    ("unix:SOCKET", {"unix_mode": "rw"}, "invalid NAME 'rw': expected a file mode in octal"),
    ("unix:SOCKET", {"unix_mode": "0999"}, "invalid NAME '0999': expected a file mode in octal"),
    ("unix:SOCKET", {"unix_mode": "0"}, "invalid NAME 0o0: expected a file mode from 0o600 to "),
    (
        "unix:SOCKET",
        {"unix_group": "no-such"},
        "invalid NAME 'no-such': expected the name or id of a group",
    ),
    ("unix:SOCKET", {"insecure": "1"}, "insecure cannot be combined with unix_socket"),
    (
        "127.0.0.1:0",
        {"insecure": "1", "allow_users": "5"},
        "allow_users cannot be combined with insecure",
    ),
    ("0.0.0.0:0", {}, "0.0.0.0 is not a loopback address"),
    ("0.0.0.0:0", {"allow_users": "5"}, "0.0.0.0 is not a loopback address"),
    ("127.0.0.1:0", {"keyfile": "x"}, "keyfile needs certfile"),
    ("127.0.0.1:0", {"ca_certs": "x"}, "ca_certs needs certfile"),
    ("127.0.0.1:0", {"ciphers": "x"}, "ciphers needs certfile"),
    ("127.0.0.1:0", {"crl": "x"}, "crl needs certfile"),
    ("127.0.0.1:0", {"allow_subjects": "x"}, "allow_subjects needs certfile"),
    ("127.0.0.1:0", {"certfile": "/nowhere.pem"}, "No such file or directory: '/nowhere.pem'"),
]

#: Invalid values that only variables can have, and the errors.
WRONG_VARIABLES = {
    "PYSTUCK_ALLOW_USERS": "PYSTUCK_ALLOW_USERS is empty: set it to a list of names and ids of u",
    "PYSTUCK_ALLOW_SUBJECTS": "PYSTUCK_ALLOW_SUBJECTS is empty: set it to a list of names of cer",
    "PYSTUCK_CERTFILE": "PYSTUCK_CERTFILE is empty: set it to the path of a file",
    "PYSTUCK_KEYFILE": "PYSTUCK_KEYFILE is empty: set it to the path of a file",
    "PYSTUCK_CA_CERTS": "PYSTUCK_CA_CERTS is empty: set it to the path of a file",
    "PYSTUCK_CRL": "PYSTUCK_CRL is empty: set it to the path of a file",
    "PYSTUCK_CIPHERS": "PYSTUCK_CIPHERS is empty: set it to a str in the form of OpenSSL's",
    "PYSTUCK_UNIX_MODE": "PYSTUCK_UNIX_MODE is empty: set it to a file mode from 0o600 to 0o777",
    "PYSTUCK_UNIX_GROUP": "PYSTUCK_UNIX_GROUP is empty: set it to the name or id of a group",
    "PYSTUCK_INSECURE=yes": "invalid PYSTUCK_INSECURE 'yes': expected 1 or 0",
    "PYSTUCK_ALLOW_USERS=root,": "invalid PYSTUCK_ALLOW_USERS 'root,': expected a list without em",
    "PYSTUCK_ALLOW_SUBJECTS=;CN=x": "invalid PYSTUCK_ALLOW_SUBJECTS ';CN=x': expected a list with",
    "PYSTUCK_ALLOW_USER=x": "unknown variable PYSTUCK_ALLOW_USER: is its name misspelt?",
    "PYSTUCK_ALLOW_SUBJECT=x": "unknown variable PYSTUCK_ALLOW_SUBJECT: is its name misspelt?",
    "PYSTUCK_CA_CERT=x": "unknown variable PYSTUCK_CA_CERT: is its name misspelt?",
    "PYSTUCK_ALOW_SUBJECTS=x": "unknown variable PYSTUCK_ALOW_SUBJECTS: is its name misspelt?",
    "PYSTUCK_SUBJECTS=x": "unknown variable PYSTUCK_SUBJECTS: is its name misspelt?",
    "PYSTUCK_REVOKED=x": "unknown variable PYSTUCK_REVOKED: is its name misspelt?",
}


def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs python -m pystuck with code that prints "ran"."""
    argv = [python(), "-m", "pystuck", *options, "-c", "print('ran')"]
    return run_program(argv, env=debuggee_environment(**variables))


@pytest.mark.parametrize(("address", "wrong", "why"), WRONG, ids=str)
@pytest.mark.rotates(4)
def test_no_server_is_started_if_the_value_of_an_argument_is_invalid(
    address: str, wrong: dict[str, Any], why: str, socket_dir: Path
) -> None:
    address = address.replace("SOCKET", str(socket_dir / "s"))
    with served(PYSTUCK=address, **as_variables(wrong)) as program:
        assert program.servers == []
        (line,) = program.logged
        assert line.startswith(f"PYSTUCK={address!a}: no server: ")
        (name,) = list(as_variables(wrong))[-1:] or ["PYSTUCK"]
        assert why.replace("NAME", name) in line
    assert os.listdir(socket_dir) == []


@pytest.mark.parametrize("variable", WRONG_VARIABLES)
@pytest.mark.rotates(4)
def test_no_server_is_started_if_a_variable_is_invalid(variable: str) -> None:
    name, _, value = variable.partition("=")
    with served(PYSTUCK="127.0.0.1:0", **{name: value}) as program:
        assert program.servers == []
        (line,) = program.logged
        expected = WRONG_VARIABLES[variable]
        assert line.startswith(f"PYSTUCK='127.0.0.1:0': no server: {expected}")


@pytest.mark.parametrize(("address", "wrong", "why"), WRONG, ids=str)
@pytest.mark.rotates(4)
def test_the_program_is_not_run_if_an_option_is_invalid(
    address: str, wrong: dict[str, Any], why: str, socket_dir: Path
) -> None:
    kind, _, path = address.replace("SOCKET", str(socket_dir / "s")).partition(":")
    host = ["--unix-socket", path] if kind == "unix" else ["--host", kind, "--port", path]
    done = run(*host, *as_options(wrong))
    assert done.returncode == (1 if "No such file" in why else 2)
    assert done.stdout == ""
    name = next((option for option in as_options(wrong) if option.startswith("--")), "")
    assert why.replace("NAME", name) in done.stderr.splitlines()[-1]
    assert os.listdir(socket_dir) == []


@pytest.mark.parametrize("variable", WRONG_VARIABLES)
@pytest.mark.rotates(4)
def test_the_program_is_not_run_if_a_variable_is_invalid(variable: str) -> None:
    name, _, value = variable.partition("=")
    for more in ({}, {"PYSTUCK": "127.0.0.1:0"}):
        done = run("--port", "0", **{name: value}, **more)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"error: {WRONG_VARIABLES[variable]}" in done.stderr.splitlines()[-1]


def test_pystuck_insecure_can_be_0_or_empty() -> None:
    for value in ("", "0"):
        with served(PYSTUCK="0.0.0.0:0", PYSTUCK_INSECURE=value) as program:
            assert program.servers == []
        with served(PYSTUCK="127.0.0.1:0", PYSTUCK_INSECURE=value) as program:
            assert len(program.servers) == 1


def test_without_pystuck_the_other_variables_start_no_server() -> None:
    with served(PYSTUCK_INSECURE="1", PYSTUCK_CERTFILE="/nowhere") as program:
        assert (program.servers, program.logged) == ([], [])


# ---- Both ----------------------------------------------------------------------------------------


@needs_root
def test_options_are_added_to_the_variables_and_override_them(socket_dir: Path) -> None:
    first, second = socket_dir / "first", socket_dir / "second"
    variables = {"PYSTUCK": f"unix:{first}", "PYSTUCK_UNIX_GROUP": str(GROUP)}
    with served("--unix-mode", "0666", **variables, PYSTUCK_UNIX_MODE="0600") as program:
        assert program.servers == [[None, None, str(first)]]
        found = first.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o666, GROUP)
    with served("--unix-socket", str(second), **variables) as program:
        assert program.servers == [[None, None, str(second)]]
        assert second.stat().st_gid == GROUP
        assert not first.exists()


@needs_root
def test_variables_for_admission_apply_to_an_address_from_options(serve: Serve) -> None:
    with served("--port", "0", PYSTUCK_ALLOW_USERS=str(FRIEND)) as program:
        assert as_user(FRIEND, program.is_let_in) is True
        assert as_user(STRANGER, program.is_let_in) is False
