# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) over TLS, with pystuck's server and stock servers with rpyc's SSLAuthenticator; and
each of its messages about errors of TLS."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from certificates import Files
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from harness import (
    PATIENCE,
    STRANGER,
    Debuggee,
    build_setting,
    command,
    pystuck,
    stock_environment,
    wait_until,
)
from prompts import Prompt
from rawpeer import playing
from test_authenticators import environment, needs_tls, server_files
from test_color import on_a_terminal
from test_explain import assert_says, something_else

Done = subprocess.CompletedProcess
Start = Callable[..., Debuggee]

pytestmark = needs_tls

#: The servers: pystuck's, and stock ones of both generations; and the environment of each.
SERVERS = {"ours": "PYSTUCK_RPYC6", "rpyc5": "PYSTUCK_RPYC5", "rpyc6": "PYSTUCK_RPYC6"}


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program with a server of SERVERS, and an SSLAuthenticator with these arguments."""
    started: list[Debuggee] = []

    def start_it(server: str = "ours", plain: bool = False, **wanted: Any) -> Debuggee:
        if server == "ours":
            run = {"authenticator": None} if plain else wanted.pop("run", {})
            argv = command("authenticated.py", json.dumps({"ssl": wanted, "run": run}))
        else:
            argv = command("stock_tls.py", json.dumps(None if plain else wanted))
        setting = SERVERS[server]
        env = environment(setting) if server == "ours" else stock_environment(setting)
        started.append(Debuggee(argv, env))
        return started[-1]

    yield start_it
    for debuggee in started:
        debuggee.kill()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return request.param


def libraries() -> dict[str, str]:
    """The environment in which the client finds librpyc-ssl."""
    return {"LD_LIBRARY_PATH": os.environ["LIBRPYC_SSL_PATH"]}


def visit(debuggee: Debuggee, *arguments: object, **more: str) -> Done[str]:
    """Runs the client on a server over TLS."""
    return pystuck(*arguments, "127.0.0.1", debuggee.port, **libraries(), **more)


def where(debuggee: Debuggee) -> str:
    """The server's address as the client prints it."""
    return f"127.0.0.1:{debuggee.port}"


def client_options(files: Files) -> list[str]:
    """The options of a client with a certificate."""
    return [
        f"--ssl-ca={files.ca}",
        f"--ssl-cert={files.client_cert}",
        f"--ssl-key={files.client_key}",
    ]


# ---- It works ------------------------------------------------------------------------------------


def test_the_stacks_come_over_tls(server: str, start: Start, files: Files) -> None:
    debuggee = start(server, **server_files(files))
    done = visit(debuggee, "--no-ipython", f"--ssl-ca={files.ca}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "<_MainThread(MainThread, started " in done.stdout
    assert "sys.stdin.readline()\n" in done.stdout


def test_code_is_run_over_tls_with_a_certificate(server: str, start: Start, files: Files) -> None:
    debuggee = start(server, **server_files(files, certified=True))
    done = visit(debuggee, *client_options(files), "-c", "'x' * 1_000_000", "-c", "print(6 * 7)")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == repr("x" * 1_000_000) + "\n42\n"


def test_the_prompt_works_over_tls(
    server: str, start: Start, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, which uses a second connection, and a new session, too."""
    monkeypatch.setenv("LD_LIBRARY_PATH", os.environ["LIBRPYC_SSL_PATH"])
    debuggee = start(server, **server_files(files, certified=True))
    prompt = Prompt([*client_options(files), "127.0.0.1", debuggee.port], tmp_path)
    assert "Out[0]: 42" in prompt.cell("6 * 7")
    prompt.type("print('begun'); sum(x for x in iter(int, 1))\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    assert "KeyboardInterrupt" in prompt.next()
    prompt.type("%reconnect\r")
    prompt.number = -1
    prompt.next()
    assert "Out[0]: 43" in prompt.cell("6 * 7 + 1")
    assert prompt.leave() == 0


def test_a_process_and_a_unix_socket_are_called_localhost(
    start: Start, named: Callable[..., dict[str, str]], socket_dir: Path
) -> None:
    local = named("localhost")
    over_tcp = start(keyfile=local["key"], certfile=local["cert"])
    path = str(socket_dir / "s")
    over_unix = start(keyfile=local["key"], certfile=local["cert"], run={"unix_socket": path})
    for place in (["--pid", over_tcp.pid], ["--pid", over_unix.pid], ["--unix-socket", path]):
        options = [f"--ssl-ca={local['ca']}", "-c", "6 * 7", *place]
        done = pystuck(*options, **libraries())
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
        done = pystuck("--ssl-name=elsewhere.example.org", *options, **libraries())
        assert done.returncode == 1
        assert "is not for elsewhere.example.org" in done.stderr


def test_the_default_port_is_the_same_as_without_tls() -> None:
    done = pystuck("--ssl", "127.0.0.9", **libraries())
    assert done.stderr.startswith("pystuck: nothing listens on 127.0.0.9:6666: ")


def test_the_name_can_be_given(start: Start, files: Files) -> None:
    debuggee = start(**server_files(files))
    options = ["-c", "6 * 7", f"--ssl-ca={files.ca}", "--ssl-name=127.0.0.1"]
    done = pystuck(*options, "localhost", debuggee.port, **libraries())
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_key_may_be_in_the_file_of_the_certificate(
    start: Start, files: Files, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(Path(files.client_cert).read_text() + Path(files.client_key).read_text())
    debuggee = start(**server_files(files, certified=True))
    done = visit(debuggee, f"--ssl-ca={files.ca}", f"--ssl-cert={both}", "-c", "6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_the_authorities_of_the_system_are_trusted_where_no_other_is_named(
    start: Start, files: Files
) -> None:
    debuggee = start(**server_files(files))
    done = visit(debuggee, "--ssl", "-c", "6 * 7", SSL_CERT_FILE=files.ca)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


# ---- Without verification ------------------------------------------------------------------------

NO_VERIFY = (
    "pystuck: --ssl-no-verify: the server's certificate is not checked, so an attacker on the "
    "network can read and change everything that is sent"
)


def test_no_verify_says_each_time_what_that_means(start: Start, files: Files) -> None:
    debuggee = start(**server_files(files))
    for color, expected in (("never", NO_VERIFY), ("always", f"\x1b[31m{NO_VERIFY}\x1b[0m")):
        for _ in range(2):
            done = visit(debuggee, "--ssl-no-verify", f"--color={color}", "-c", "6 * 7")
            assert (done.returncode, done.stderr) == (0, expected + "\n")
            assert "42" in done.stdout


def test_no_verify_is_said_in_red_on_a_terminal(start: Start, files: Files) -> None:
    debuggee = start(**server_files(files))
    options = ["--ssl-no-verify", "--no-repl", "127.0.0.1", debuggee.port]
    assert f"\x1b[31m{NO_VERIFY}\x1b[0m\n" in on_a_terminal(*options, **libraries())


def test_no_verify_is_said_again_for_a_new_session(
    start: Start, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", os.environ["LIBRPYC_SSL_PATH"])
    debuggee = start(**server_files(files))
    prompt = Prompt(["--ssl-no-verify", "127.0.0.1", debuggee.port], tmp_path, columns=200)
    prompt.type("%reconnect\r")
    prompt.expect(re.escape(NO_VERIFY))
    prompt.number = -1
    prompt.next()
    assert prompt.leave() == 0


# ---- The server's certificate --------------------------------------------------------------------


@pytest.fixture
def named(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Makes a certificate for a server name. Returns the paths of the certificate, its key and its
    CA."""

    def make(name: str, **options: Any) -> dict[str, str]:
        ca = trustme.CA()
        issued = ca.issue_cert(name, **options)
        paths = {what: str(tmp_path / f"{name}.{what}") for what in ("ca", "cert", "key")}
        ca.cert_pem.write_to_path(paths["ca"])
        issued.cert_chain_pems[0].write_to_path(paths["cert"])
        issued.private_key_pem.write_to_path(paths["key"])
        return paths

    return make


def test_a_server_of_another_ca(server: str, start: Start, files: Files) -> None:
    debuggee = start(server, **server_files(files))
    done = visit(debuggee, f"--ssl-ca={files.other_ca}")
    sentence = f"the certificate of {where(debuggee)} is not signed by the CA in {files.other_ca}"
    assert_says(done, 1, sentence)


def test_a_server_of_no_ca_that_the_system_trusts(start: Start, files: Files) -> None:
    debuggee = start(**server_files(files))
    sentence = (
        f"the certificate of {where(debuggee)} is not signed by a CA that this system trusts: name "
        "the CA with --ssl-ca FILE"
    )
    assert_says(visit(debuggee, "--ssl"), 1, sentence)


def own_certificate(path: Path, usage: x509.ObjectIdentifier) -> str:
    """Writes a self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alone")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    how = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, *how) + cert.public_bytes(pem))
    return str(path)


def test_a_server_with_a_certificate_that_signs_itself(
    start: Start, files: Files, tmp_path: Path
) -> None:
    own = own_certificate(tmp_path / "own.pem", ExtendedKeyUsageOID.SERVER_AUTH)
    debuggee = start(keyfile=own, certfile=own)
    sentence = f"the certificate of {where(debuggee)} is not signed by the CA in {files.ca}"
    assert_says(visit(debuggee, f"--ssl-ca={files.ca}"), 1, sentence)
    done = visit(
        debuggee, f"--ssl-ca={own}", "-c", "6 * 7"
    )  # a self-signed certificate can be its own CA
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_server_whose_certificate_has_expired(
    server: str, start: Start, named: Callable[..., dict[str, str]]
) -> None:
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    old = named("127.0.0.1", not_after=past.replace(tzinfo=None))
    debuggee = start(server, keyfile=old["key"], certfile=old["cert"])
    sentence = f"the certificate of {where(debuggee)}, or of its CA, has expired"
    assert_says(visit(debuggee, f"--ssl-ca={old['ca']}"), 1, sentence)


def test_a_server_whose_certificate_is_not_valid_yet(
    start: Start, named: Callable[..., dict[str, str]]
) -> None:
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    new = named("127.0.0.1", not_before=tomorrow.replace(tzinfo=None))
    debuggee = start(keyfile=new["key"], certfile=new["cert"])
    why = "is not valid yet, or the clock of this machine is wrong"
    sentence = f"the certificate of {where(debuggee)} {why}"
    assert_says(visit(debuggee, f"--ssl-ca={new['ca']}"), 1, sentence)


@pytest.mark.parametrize("name", ["127.0.0.9", "db1.example.org"])
def test_a_server_of_another_name(
    server: str, start: Start, named: Callable[..., dict[str, str]], name: str
) -> None:
    other = named(name)
    debuggee = start(server, keyfile=other["key"], certfile=other["cert"])
    ca = f"--ssl-ca={other['ca']}"
    sentence = (
        f"the certificate of {where(debuggee)} is not for 127.0.0.1: name the expected server with "
        "--ssl-name"
    )
    assert_says(visit(debuggee, ca), 1, sentence)
    done = visit(debuggee, ca, f"--ssl-name={name}", "-c", "6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_a_certificate_that_is_for_clients(start: Start, tmp_path: Path) -> None:
    own = own_certificate(tmp_path / "own.pem", ExtendedKeyUsageOID.CLIENT_AUTH)
    debuggee = start(keyfile=own, certfile=own)
    sentence = f"the certificate of {where(debuggee)} is not a server certificate"
    assert_says(visit(debuggee, f"--ssl-ca={own}"), 1, sentence)


# ---- Our certificate -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_server_that_wants_a_certificate(
    server: str, start: Start, files: Files, version: str
) -> None:
    one = {"ssl_version": int(ssl.PROTOCOL_TLSv1_2)} if version == "TLSv1_2" else {}
    debuggee = start(server, **server_files(files, certified=True), **one)
    sentence = f"{where(debuggee)} requires a client certificate: pass --ssl-cert and --ssl-key"
    assert_says(visit(debuggee, f"--ssl-ca={files.ca}"), 1, sentence)


def test_a_server_that_does_not_know_our_ca(server: str, start: Start, files: Files) -> None:
    debuggee = start(server, **server_files(files, certified=True))
    ours = [f"--ssl-cert={files.stranger_cert}", f"--ssl-key={files.stranger_key}"]
    sentence = (
        f"{where(debuggee)} does not accept the certificate {files.stranger_cert}: it is not "
        "signed by a CA that the server trusts"
    )
    assert_says(visit(debuggee, f"--ssl-ca={files.ca}", *ours), 1, sentence)


def test_our_certificate_has_expired(server: str, start: Start, tmp_path: Path) -> None:
    ca, ca_path = trustme.CA(), str(tmp_path / "ca")
    ca.cert_pem.write_to_path(ca_path)
    past = datetime.datetime.now() - datetime.timedelta(days=2)
    old, theirs = ca.issue_cert("me@example.org", not_after=past), ca.issue_cert("127.0.0.1")
    for issued, name in ((old, "old"), (theirs, "server")):
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / name))
    both = str(tmp_path / "server")
    debuggee = start(server, keyfile=both, certfile=both, ca_certs=ca_path)
    done = visit(debuggee, f"--ssl-ca={ca_path}", f"--ssl-cert={tmp_path / 'old'}")
    sentence = (
        f"{where(debuggee)} does not accept the certificate {tmp_path / 'old'}: it has expired"
    )
    assert_says(done, 1, sentence)


# ---- TLS on one side alone -----------------------------------------------------------------------


def test_a_server_that_speaks_no_tls(server: str, start: Start, files: Files) -> None:
    debuggee = start(server, plain=True, **server_files(files))
    sentence = f"{where(debuggee)} does not use TLS: run pystuck without --ssl"
    assert_says(visit(debuggee, "--ssl", "--timeout=2", timeout=2 * PATIENCE), 1, sentence)


def test_a_web_server_without_tls() -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with playing(serve) as port:
        done = pystuck("--ssl", "127.0.0.1", port, **libraries())
        assert_says(done, 1, something_else(port, "it is an HTTP server"))


def shake_hands(context: ssl.SSLContext, sock: socket.socket, answer: bytes = b"") -> None:
    """Serves a connection: does a handshake, sends some text, and closes the connection.

    If there is a text, the client closes it first: the kernel would discard the text if data of the
    client came after it.
    """
    with context.wrap_socket(sock, server_side=True) as tls:
        tls.recv(1000)
        tls.sendall(answer)
        while answer and tls.recv(1000):
            pass


@pytest.fixture
def context(files: Files) -> ssl.SSLContext:
    """The context of servers in this process."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_cert, files.server_key)
    return context


def test_a_tls_server_that_is_no_rpyc_server(context: ssl.SSLContext, files: Files) -> None:
    web = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with playing(lambda sock: shake_hands(context, sock, web)) as port:
        done = pystuck(f"--ssl-ca={files.ca}", "127.0.0.1", port, **libraries())
        assert_says(done, 1, something_else(port, "it speaks TLS, but not RPyC"))


def test_a_tls_server_that_hangs_up(context: ssl.SSLContext, files: Files) -> None:
    with playing(lambda sock: shake_hands(context, sock)) as port:
        place = f"127.0.0.1:{port}"
        done = pystuck(f"--ssl-ca={files.ca}", "127.0.0.1", port, **libraries())
        sentence = (
            "it requires a client certificate (pass --ssl-cert and --ssl-key), or has too many"
        )
        assert_says(done, 1, f"{place} closed the connection: {sentence} clients")
        done = pystuck(*client_options(files), "127.0.0.1", port, **libraries())
        sentence = (
            f"it does not accept the certificate {files.client_cert}, or has too many clients"
        )
        assert_says(done, 1, f"{place} closed the connection: {sentence}")


def test_a_tls_server_that_is_stopped(start: Start, files: Files) -> None:
    debuggee = start(**server_files(files))
    wait_until(lambda: f" {debuggee.pid} " in pystuck("--list").stdout, "it to be found")
    os.kill(debuggee.pid, signal.SIGSTOP)
    wait_until(lambda: debuggee.status("State").startswith("T"), "it to be stopped")
    done = visit(debuggee, f"--ssl-ca={files.ca}", "--timeout=0.5")
    assert done.returncode == 0  # the stacks were read from outside
    assert f"process {debuggee.pid} (" in done.stderr
    assert f"is stopped: continue it with 'kill -CONT {debuggee.pid}'\n" in done.stderr


def test_a_server_whose_tls_is_too_old(context: ssl.SSLContext, files: Files) -> None:
    """The server refuses all TLS versions of the client by an alert."""
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal: protocol_version

    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(alert)
        sock.recv(1000)

    with playing(serve) as port:
        done = pystuck("--ssl", "127.0.0.1", port, **libraries())
        sentence = f"127.0.0.1:{port} does not support TLS 1.2 or later"
        assert_says(done, 1, sentence)


def test_a_server_with_which_there_is_no_common_cipher(files: Files) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_cert, files.server_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the server's key is not an RSA key
    with playing(lambda sock: shake_hands(context, sock)) as port:
        done = pystuck(*client_options(files), "127.0.0.1", port, **libraries())
        sentence = f"127.0.0.1:{port} and pystuck have no TLS version and cipher in common"
        assert_says(done, 1, sentence)


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (42, "it is damaged, not valid yet, or not allowed"),
        (43, "it is not a client certificate"),
        (44, "it has been revoked"),
        (46, "the server does not allow this certificate"),
        (49, "the server does not allow this certificate"),
    ],
)
def test_what_else_a_server_may_say_of_our_certificate(
    files: Files, alert: int, words: str
) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(bytes([0x15, 3, 3, 0, 2, 2, alert]))
        sock.recv(1000)

    with playing(serve) as port:
        done = pystuck(*client_options(files), "127.0.0.1", port, **libraries())
        start = f"127.0.0.1:{port} does not accept the certificate {files.client_cert}"
        assert_says(done, 1, f"{start}: {words}")


def test_whatever_else_goes_wrong_is_told_in_the_words_that_there_are(files: Files) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(bytes([0x15, 3, 3, 0, 2, 2, 80]))  # internal_error
        sock.recv(1000)

    with playing(serve) as port:
        done = pystuck(*client_options(files), "127.0.0.1", port, **libraries())
        assert done.returncode == 1
        assert done.stderr.startswith(f"pystuck: TLS with 127.0.0.1:{port} failed: ")
        assert "internal error" in done.stderr


# ---- Files ---------------------------------------------------------------------------------------


class Wrong(NamedTuple):
    """Options that name unusable files, and the message."""

    options: list[str]
    sentence: str


def wrong_files(files: Files, folder: Path) -> dict[str, Wrong]:
    """The cases, by their names."""
    empty, binary = folder / "empty", folder / "binary"
    empty.write_text("")
    binary.write_bytes(bytes(100))
    damaged = folder / "damaged"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    locked, traditional = folder / "locked", folder / "traditional"
    key = serialization.load_pem_private_key(Path(files.client_key).read_bytes(), None)
    for path, form in (
        (locked, serialization.PrivateFormat.PKCS8),
        (traditional, serialization.PrivateFormat.TraditionalOpenSSL),
    ):
        encryption = serialization.BestAvailableEncryption(b"sesame")
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    ca, cert = f"--ssl-ca={files.ca}", f"--ssl-cert={files.client_cert}"
    passphrase = "has a passphrase: expected a key without one"
    return {
        "no CA file": Wrong(
            ["--ssl-ca=/no/ca.pem"], "cannot read /no/ca.pem (--ssl-ca): No such file or directory"
        ),
        "no certificate file": Wrong(
            ["--ssl-cert=/no/x", f"--ssl-key={files.client_key}"],
            "cannot read /no/x (--ssl-cert): No such file or directory",
        ),
        "no key file": Wrong(
            [cert, "--ssl-key=/no/x"], "cannot read /no/x (--ssl-key): No such file or directory"
        ),
        "a folder": Wrong(
            [f"--ssl-ca={folder}"], f"cannot read {folder} (--ssl-ca): Is a directory"
        ),
        "no certificate in it": Wrong(
            [f"--ssl-ca={empty}"],
            f"{empty} (--ssl-ca) contains no certificate: expected a PEM file",
        ),
        "no text in it": Wrong(
            [f"--ssl-cert={binary}"],
            f"{binary} (--ssl-cert) contains no certificate: expected a PEM file",
        ),
        "no key in it": Wrong(
            [cert, f"--ssl-key={files.ca}"],
            f"{files.ca} (--ssl-key) contains no key: expected a PEM file",
        ),
        "no key beside it": Wrong(
            [cert],
            f"{files.client_cert} (--ssl-cert) contains no key: name the key's file with --ssl-key",
        ),
        "a passphrase": Wrong([cert, f"--ssl-key={locked}"], f"the key in {locked} {passphrase}"),
        "an old passphrase": Wrong(
            [cert, f"--ssl-key={traditional}"], f"the key in {traditional} {passphrase}"
        ),
        "another's key": Wrong(
            [ca, cert, f"--ssl-key={files.server_key}"],
            f"the key {files.server_key} does not belong to the certificate {files.client_cert}",
        ),
        "a damaged file": Wrong([f"--ssl-ca={damaged}"], f"cannot use the CA file {damaged}: "),
    }


def test_files_that_cannot_be_used_are_named(start: Start, files: Files, tmp_path: Path) -> None:
    debuggee = start(**server_files(files))
    for what, case in wrong_files(files, tmp_path).items():
        done = visit(debuggee, *case.options)
        assert (done.returncode, done.stdout) == (2, ""), what
        assert len(done.stderr.splitlines()) == 1, what
        if what == "a damaged file":  # followed by OpenSSL's text
            assert done.stderr.startswith(f"pystuck: {case.sentence}"), what
        else:
            assert done.stderr == f"pystuck: {case.sentence}\n", what


def test_files_are_looked_at_before_anything_is_connected() -> None:
    done = pystuck("--ssl-ca=/no/ca.pem", "127.0.0.9", **libraries())
    assert done.returncode == 2
    assert done.stderr == "pystuck: cannot read /no/ca.pem (--ssl-ca): No such file or directory\n"


def test_a_certificate_that_comes_by_a_pipe_is_not_waited_for_twice(
    start: Start, files: Files, tmp_path: Path
) -> None:
    """For example by <(...) of a shell: text that the client reads from a pipe is lost for
    OpenSSL."""
    debuggee = start(**server_files(files))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = Path(files.ca).read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(text), daemon=True)
    writer.start()
    done = visit(debuggee, f"--ssl-ca={pipe}", "-c", "6 * 7")
    writer.join(PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_librpyc_ssl_is_found_where_all_was_built_and_is_not_installed(
    start_debuggee: Start, files: Files
) -> None:
    debuggee = start_debuggee(certfile=files.server_cert, keyfile=files.server_key)
    done = pystuck(f"--ssl-ca={files.ca}", "-c", "6 * 7", "127.0.0.1", debuggee.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_where_librpyc_ssl_is_not_installed_that_is_said(
    start: Start, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debuggee = start(**server_files(files))
    monkeypatch.setenv("PYSTUCK_BIN", str(shutil.copy(build_setting("PYSTUCK_BIN"), tmp_path)))
    done = pystuck(f"--ssl-ca={files.ca}", "-c", "6 * 7", "127.0.0.1", debuggee.port)
    if done.returncode == 0:
        pytest.skip("librpyc-ssl is installed where the client looks for it")
    sentence = "TLS needs librpyc-ssl.so, which is not installed: build pystuck with OpenSSL"
    assert_says(done, 1, sentence)
    (tmp_path / "librpyc-ssl.so.0").write_text("")
    done = pystuck(
        f"--ssl-ca={files.ca}", "127.0.0.1", debuggee.port, LD_LIBRARY_PATH=str(tmp_path)
    )
    assert done.returncode == 1
    assert done.stderr.startswith("pystuck: TLS needs librpyc-ssl.so, which cannot be loaded: ")
    # A library without the symbol of librpyc-ssl.
    shutil.copy(f"{os.environ['LIBRPYC_SSL_PATH']}/librpyc.so", tmp_path / "librpyc-ssl.so.0")
    done = pystuck(
        f"--ssl-ca={files.ca}", "127.0.0.1", debuggee.port, LD_LIBRARY_PATH=str(tmp_path)
    )
    assert_says(
        done,
        1,
        "TLS needs librpyc-ssl.so of this version of pystuck, but another version is installed",
    )


def test_a_librpyc_ssl_that_other_users_can_replace_is_not_loaded(
    start: Start, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with the right name may be that of another user, if the program is in /tmp/tools."""
    debuggee = start(**server_files(files))
    (tmp_path / "tools").mkdir()
    program = shutil.copy(build_setting("PYSTUCK_BIN"), tmp_path / "tools")
    monkeypatch.setenv("PYSTUCK_BIN", str(program))

    def visit_it() -> Done[str]:
        return pystuck(f"--ssl-ca={files.ca}", "-c", "6 * 7", "127.0.0.1", debuggee.port)

    if visit_it().returncode == 0:
        pytest.skip("librpyc-ssl is installed where the client looks for it")
    folder = tmp_path / "librpyc/.libs"
    folder.mkdir(parents=True)
    library = folder / "librpyc-ssl.so.0"
    shutil.copy(f"{os.environ['LIBRPYC_SSL_PATH']}/librpyc-ssl.so.0", library)
    done = visit_it()
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")

    def assert_refused() -> None:
        done = visit_it()
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "pystuck: TLS needs librpyc-ssl.so, which cannot be loaded: "
            f"other users can replace {library}\n"
        )

    tmp_path.chmod(0o1777)  # contains the program as well
    assert visit_it().returncode == 0
    for path in (library, folder, folder.parent):
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        assert_refused()
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, STRANGER, -1)
            assert_refused()
            os.chown(path, 0, -1)
    assert visit_it().returncode == 0
    if os.geteuid() == 0:  # who owns the program may replace it as well
        for path in (Path(program), library, folder, folder.parent):
            os.chown(path, STRANGER, -1)
        assert visit_it().returncode == 0


# ---- The command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--ssl-key=k"], "--ssl-key requires --ssl-cert: name the certificate of the key"),
        (
            ["--ssl-no-verify", "--ssl-ca=c"],
            "--ssl-no-verify cannot be combined with --ssl-ca or --ssl-name",
        ),
        (
            ["--ssl-no-verify", "--ssl-name=n"],
            "--ssl-no-verify cannot be combined with --ssl-ca or --ssl-name",
        ),
        (
            ["--ssl-name="],
            "invalid --ssl-name '': expected a name or an address of 1 to 253 characters",
        ),
        (
            [f"--ssl-name={'a' * 254}"],
            f"invalid --ssl-name '{'a' * 64}': expected a name or an address of 1 to 253 "
            "characters",
        ),
        (["--ssl", "--list"], "--list cannot be combined with options of TLS"),
        (["--ssl-ca"], "option '--ssl-ca' requires an argument"),
        (["--ssl=yes"], "option '--ssl' doesn't allow an argument"),
    ],
)
def test_options_that_make_no_sense(options: list[str], sentence: str) -> None:
    done = pystuck(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"pystuck: {sentence}\n"
