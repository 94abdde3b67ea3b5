# SPDX-License-Identifier: BSD-3-Clause
"""run_server(authenticator=...), with the authenticators of rpyc.utils.server.Server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rpyc
from certificates import Files
from harness import (
    PATIENCE,
    SANITIZED,
    STRANGER,
    Debuggee,
    as_user,
    build_setting,
    command,
    debuggee_environment,
    each_ends_well,
    python,
    run_program,
    wait_until,
)
from tls_clients import client_files, needs_tls, try_tls, visit

Start = Callable[..., Debuggee]


def environment(setting: str = "PYSTUCK_RPYC6") -> dict[str, str]:
    """Returns the environment for a debuggee with stock rpyc and librpyc-ssl."""
    mine = debuggee_environment()
    path = mine["PYTHONPATH"] + ":" + build_setting(setting)
    return mine | {"PYTHONPATH": path, "LD_LIBRARY_PATH": os.environ.get("LIBRPYC_SSL_PATH", "")}


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program with an authenticator. It must end as if there were no server."""
    with each_ends_well() as started:

        def start_it(setting: str = "PYSTUCK_RPYC6", **wanted: Any) -> Debuggee:
            argv = command("authenticated.py", json.dumps(wanted))
            started.append(Debuggee(argv, environment(setting)))
            return started[-1]

        yield start_it


def server_files(files: Files, *, certified: bool = False, **more: Any) -> dict[str, Any]:
    """Returns arguments of SSLAuthenticator; `certified`: clients need a certificate."""
    ca = {"ca_certs": files.ca} if certified else {}
    return {"keyfile": files.server_key, "certfile": files.server_cert, **ca, **more}


# ---- Stock clients -------------------------------------------------------------------------------

both = pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])


@needs_tls
@both
def test_a_stock_client_is_served_over_tls(setting: str, start: Start, files: Files) -> None:
    port = start(setting, ssl=server_files(files)).port
    assert visit(setting, port) is None
    assert visit(setting, port, ca_certs=files.ca) is None


@needs_tls
@both
def test_the_certificate_of_a_client_has_the_form_of_stock(
    setting: str, start: Start, files: Files
) -> None:
    port = start(setting, ssl=server_files(files, certified=True)).port
    found = visit(setting, port, **client_files(files))
    with open(files.client_cert) as file:
        expected = ssl._ssl._test_decode_cert(file.name)  # type: ignore[attr-defined]
    assert found == json.loads(json.dumps(expected))
    assert ["email", "me@example.org"] in found["subjectAltName"]


@needs_tls
@pytest.mark.rotates(4)
def test_many_clients_are_served_over_tls_at_once(start: Start, files: Files) -> None:
    debuggee = start(ssl=server_files(files))
    before = debuggee.holdings()

    def work(found: list[int]) -> None:
        with rpyc.classic.ssl_connect("127.0.0.1", debuggee.port) as c:
            found.append(sum(c.eval("lambda n: n * 2")(n) for n in range(100)))

    sums: list[int] = []
    threads = [threading.Thread(target=work, args=(sums,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [9900] * 16
    debuggee.wait_until_back_to(before)


# ---- Refused clients -----------------------------------------------------------------------------


@needs_tls
def test_a_client_without_a_required_certificate_is_refused(start: Start, files: Files) -> None:
    debuggee = start(ssl=server_files(files, certified=True))
    assert try_tls(debuggee.port) != "served"
    assert debuggee.read_line() == ("WARNING client 0 was refused: the client sent no certificate")
    assert try_tls(debuggee.port, **client_files(files)) == "served"


@needs_tls
def test_a_certificate_of_another_ca_is_refused(start: Start, files: Files) -> None:
    debuggee = start(ssl=server_files(files, certified=True))
    strange = {"keyfile": files.stranger_key, "certfile": files.stranger_cert}
    assert try_tls(debuggee.port, **strange) != "served"
    line = debuggee.read_line()
    assert line.startswith("WARNING client 0 was refused: the client's certificate is not accepted")


@needs_tls
def test_a_plain_client_is_refused(start: Start, files: Files) -> None:
    debuggee = start(ssl=server_files(files))
    with socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE) as sock:
        sock.sendall(b"\0\0\0\x08\0" + b"\x02\x11\x50\x11\x53\x11\x02" + b"\x02\n")
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(1000):
                pass
    assert debuggee.read_line() == "WARNING client 0 was refused: the client does not speak TLS"


@needs_tls
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_admitted_only_with_a_certificate(start: Start, files: Files) -> None:
    for path in (files.client_key, files.client_cert):
        os.chmod(path, 0o644)
        folder = os.path.dirname(path)
        while folder != "/":
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)
    plain, certified = (
        start(ssl=server_files(files)),
        start(ssl=server_files(files, certified=True)),
    )
    assert as_user(STRANGER, lambda: try_tls(plain.port)) != "served"
    assert as_user(STRANGER, lambda: try_tls(certified.port)) != "served"
    assert as_user(STRANGER, lambda: try_tls(certified.port, **client_files(files))) == "served"
    assert "WARNING a client was refused: " in plain.read_line()
    assert "the client sent no certificate" in certified.read_line()


@needs_tls
def test_a_server_that_requires_certificates_may_listen_on_any_address(
    start: Start, files: Files
) -> None:
    everywhere = start(ssl=server_files(files, certified=True), run={"host": "0.0.0.0"})
    assert try_tls(everywhere.port, **client_files(files)) == "served"


ATTEMPT = """
import json, sys
import pystuck
from rpyc.utils.authenticators import SSLAuthenticator
wanted, options = map(json.loads, sys.argv[1:])
authenticator = SSLAuthenticator(**wanted) if isinstance(wanted, dict) else wanted
try:
    pystuck.run_server(**{"port": 0, "authenticator": authenticator, **options})
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def attempt(wanted: Any, **options: Any) -> str:
    """Calls run_server in another process; returns its exception as text, or ""."""
    argv = [python(), "-c", ATTEMPT, json.dumps(wanted), json.dumps(options)]
    done = run_program(argv, env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_tls
def test_an_outer_address_requires_client_certificates(files: Files) -> None:
    error = attempt(server_files(files), host="0.0.0.0")
    assert error.startswith("ValueError: 0.0.0.0 is not a loopback address")
    assert attempt(server_files(files, certified=True), host="") == ""


@needs_tls
def test_run_server_names_a_file_that_cannot_be_used(files: Files) -> None:
    error = attempt(server_files(files, certfile="/nowhere.pem"))
    assert error == "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere.pem'\n"
    error = attempt(server_files(files, keyfile=files.client_key))
    assert error.startswith(f"ValueError: TLS: cannot use the key {files.client_key}: ")
    error = attempt(server_files(files, ca_certs=files.server_key))
    assert error.startswith(f"ValueError: TLS: cannot use the CA file {files.server_key}: ")
    error = attempt(server_files(files, ciphers="NONSENSE"))
    assert error.startswith("ValueError: TLS: cannot use the ciphers NONSENSE: ")


@needs_tls
def test_versions_of_tls_before_1_2_are_refused(files: Files) -> None:
    old = int(ssl.PROTOCOL_TLSv1_1)
    assert "expected TLS 1.2 or later" in attempt(server_files(files, ssl_version=old))
    assert attempt(server_files(files, ssl_version=int(ssl.PROTOCOL_TLSv1_2))) == ""


@needs_tls
def test_ssl_version_can_select_tls_1_2_only(start: Start, files: Files) -> None:
    only = server_files(files, ssl_version=int(ssl.PROTOCOL_TLSv1_2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    for wanted, version in ((server_files(files), "TLSv1.3"), (only, "TLSv1.2")):
        port = start(ssl=wanted).port
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
        with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            assert sock.version() == version


def test_an_authenticator_that_is_not_callable_is_an_error() -> None:
    error = attempt("x")
    assert error.startswith("TypeError: invalid authenticator 'x': expected a callable")


# ---- The end -------------------------------------------------------------------------------------

ENDING = """
import json, sys
import pystuck
from rpyc.utils.authenticators import SSLAuthenticator
authenticator = SSLAuthenticator(*sys.argv[1:3])
server = pystuck.run_server(port=0, authenticator=authenticator)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
"""


@needs_tls
@pytest.mark.rotates(4)
def test_a_program_ends_well_while_clients_send_requests_over_tls(files: Files) -> None:
    """OpenSSL frees its memory in exit(), while the threads of the server still run."""
    argv = [python(), "-c", ENDING, files.server_key, files.server_cert]
    for _ in range(2 if SANITIZED else 5):
        debuggee = Debuggee(argv, environment())
        stop = threading.Event()

        def talk(port: int | None, stop: threading.Event) -> None:
            with contextlib.suppress(EOFError, OSError):
                c = rpyc.classic.ssl_connect("127.0.0.1", port)
                while not stop.is_set():
                    c.ping()

        threads = [
            threading.Thread(target=talk, args=(debuggee.port, stop), daemon=True) for _ in range(4)
        ]
        try:
            for thread in threads:
                thread.start()
            wait_until(
                lambda debuggee=debuggee: len(debuggee.threads()) > 5,
                "the clients to send requests",
            )
            debuggee.write("\n")
            assert debuggee.wait() == 0
            assert debuggee.stderr() == ""
        finally:
            stop.set()
            debuggee.kill()
            for thread in threads:
                thread.join(PATIENCE)


# ---- Other authenticators ------------------------------------------------------------------------


def test_an_authenticator_is_called_before_the_server_reads_data(start: Start) -> None:
    debuggee = start(password="sesame")
    with socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE) as sock:
        sock.sendall(b"sesame")
        c = rpyc.utils.factory.connect_stream(rpyc.core.SocketStream(sock), rpyc.SlaveService)
        assert c.root.eval("6 * 7") == 42
        credentials = c.root.getconn()._config["credentials"]
        assert rpyc.classic.obtain(credentials) == {"name": "the password is known"}


def test_a_client_that_fails_to_authenticate_is_refused(start: Start) -> None:
    debuggee = start(password="sesame")
    before = debuggee.holdings()
    with socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE) as sock:
        sock.sendall(b"please")
        assert sock.recv(1) == b""
    assert debuggee.read_line() == (
        "ERROR client 0 was refused: AuthenticationError: wrong password"
    )
    debuggee.wait_until_back_to(before)


def test_an_authenticator_that_returns_another_socket_cannot_be_used(start: Start) -> None:
    debuggee = start(wrap=True)
    with socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE) as sock:
        assert sock.recv(1) == b""
    line = debuggee.read_line()
    assert line.startswith("ERROR client 0 was refused: TypeError: the authenticator returned")
