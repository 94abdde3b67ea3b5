# SPDX-License-Identifier: BSD-3-Clause
"""librpyc over TLS, with stock servers that use rpyc's SSLAuthenticator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from certificates import Files
from harness import PATIENCE, build_setting, c_program, clean_environment

pytestmark = pytest.mark.skipif(
    not os.environ.get("TLS_USER"), reason="built without OpenSSL: there is no librpyc-ssl"
)

SERVER = """
import sys
import threading
import time

from rpyc.core.service import SlaveService
from rpyc.utils.authenticators import SSLAuthenticator
from rpyc.utils.server import ThreadedServer

key, cert, ca = sys.argv[1:4]
authenticator = SSLAuthenticator(key, cert, ca_certs=ca or None) if key else None
server = ThreadedServer(
    SlaveService, hostname="127.0.0.1", port=0, auto_register=False, authenticator=authenticator
)
thread = threading.Thread(target=server.start)
thread.start()
while not server.active:
    time.sleep(0.001)
print(server.port, flush=True)
thread.join()
"""

ETLS = 13
OK = "ok 5000000"


@pytest.fixture(params=["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"], ids=["rpyc5", "rpyc6"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Starts a stock server, over TLS or plain, and returns its port."""
    started: list[subprocess.Popen[str]] = []

    def start(key: str = "", cert: str = "", client_ca: str = "") -> str:
        process = subprocess.Popen(
            [build_setting("PYSTUCK_PYTHON"), "-c", SERVER, key, cert, client_ca],
            env=clean_environment(PYTHONPATH=build_setting(request.param)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def use(port: str, *arguments: str, host: str = "127.0.0.1") -> str:
    """Returns the output of the C program."""
    done = subprocess.run(
        c_program("TLS_USER", host, port, *arguments),
        env=clean_environment(LD_LIBRARY_PATH=build_setting("LIBRPYC_SSL_PATH")),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture
def tls_port(serve: Callable[..., str], files: Files) -> str:
    return serve(files.server_key, files.server_cert)


def test_a_server_of_a_known_authority_is_talked_to(tls_port: str, files: Files) -> None:
    assert use(tls_port, f"ca={files.ca}") == OK


def test_a_server_of_an_unknown_authority_is_not_talked_to(tls_port: str, files: Files) -> None:
    refused = f"error {ETLS} connected to 127.0.0.1:{tls_port}, but the server's certificate"
    assert use(tls_port, f"ca={files.other_ca}").startswith(refused)
    assert use(tls_port).startswith(refused)


def test_a_server_of_another_name_is_not_talked_to(tls_port: str, files: Files) -> None:
    assert "IP address mismatch" in use(tls_port, f"ca={files.ca}", "name=127.0.0.9")
    # OpenSSL 1.1.1 writes "Hostname".
    assert "ostname mismatch" in use(tls_port, f"ca={files.ca}", "name=example.org")
    assert "ostname mismatch" in use(tls_port, f"ca={files.ca}", host="localhost")


def test_the_name_to_check_can_be_given(tls_port: str, files: Files) -> None:
    assert use(tls_port, f"ca={files.ca}", "name=127.0.0.1", host="localhost") == OK


def test_verification_is_off_only_when_that_is_said(tls_port: str) -> None:
    assert use(tls_port, "no-verify") == OK


def test_a_client_certificate_is_shown(serve: Callable[..., str], files: Files) -> None:
    port = serve(files.server_key, files.server_cert, files.ca)
    ours = f"cert={files.client_cert}", f"key={files.client_key}"
    assert use(port, f"ca={files.ca}", *ours) == OK


def test_a_missing_client_certificate_is_named(serve: Callable[..., str], files: Files) -> None:
    """With TLS 1.3 the server reports this after the handshake, perhaps before the client has sent
    anything."""
    port = serve(files.server_key, files.server_cert, files.ca)
    for _ in range(20):
        answer = use(port, f"ca={files.ca}")
        assert "the server requires a client certificate" in answer


def test_a_file_that_cannot_be_used_is_named(tls_port: str, files: Files) -> None:
    for option, what in (("ca", "CA file"), ("cert", "certificate")):
        answer = use(tls_port, f"ca={files.ca}", f"{option}=/nowhere/at-all.pem")
        assert answer.startswith(f"error {ETLS} ")
        assert f"cannot use the {what} /nowhere/at-all.pem" in answer
    answer = use(tls_port, f"ca={files.ca}", f"cert={files.client_cert}", f"key={files.server_key}")
    assert f"cannot use the key {files.server_key}" in answer


def test_a_plain_client_gets_nothing_from_a_tls_server(tls_port: str) -> None:
    assert use(tls_port, "plain").startswith("error ")


def test_a_plain_server_is_given_up(serve: Callable[..., str]) -> None:
    assert use(serve(), "no-verify", "timeout=2").startswith("error ")
