# SPDX-License-Identifier: BSD-3-Clause
"""run_server's arguments for TLS: certfile, keyfile, ca_certs, ciphers, crl, allow_subjects."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Files, subject_of
from harness import (
    PATIENCE,
    STRANGER,
    Debuggee,
    as_user,
    command,
    debuggee_environment,
    run_python,
    start_error,
)
from rawpeer import Envelope, Handler, RawPeer, raw_connect
from tls_clients import client_files, needs_tls, try_tls, visit

Start = Callable[..., Debuggee]

pytestmark = needs_tls

both = pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])

versions = pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])


@pytest.fixture
def start(start_debuggee: Start) -> Start:
    """Starts a program that prints what it logs, with these arguments of run_server."""
    path = os.environ["LIBRPYC_SSL_PATH"]

    def start_it(**options: Any) -> Debuggee:
        return start_debuggee("logged.py", env={"LD_LIBRARY_PATH": path}, **options)

    return start_it


def plain_files(files: Files) -> dict[str, str]:
    """Returns the arguments of run_server for TLS without client certificates."""
    return {"certfile": files.server_cert, "keyfile": files.server_key}


def strict_files(files: Files) -> dict[str, str]:
    """Returns the arguments of run_server for TLS with client certificates."""
    return {**plain_files(files), "ca_certs": files.ca}


def refusal(debuggee: Debuggee) -> str:
    """Reads a log record about a refused client; returns the reason."""
    line = debuggee.read_line()
    start, _, why = line.partition(" was refused: ")
    assert start.startswith("WARNING client "), line
    return why


# ---- Clients that are served ---------------------------------------------------------------------


@both
def test_a_stock_client_is_served(setting: str, start: Start, files: Files) -> None:
    debuggee = start(**plain_files(files))
    visit(setting, debuggee.port)
    visit(setting, debuggee.port, ca_certs=files.ca)


@both
def test_a_stock_client_with_a_certificate_is_served(
    setting: str, start: Start, files: Files
) -> None:
    debuggee = start(**strict_files(files))
    visit(setting, debuggee.port, **client_files(files))
    visit(setting, debuggee.port, **client_files(files), ca_certs=files.ca)


@both
def test_a_stock_client_in_the_list_of_names_is_served(
    setting: str, start: Start, files: Files
) -> None:
    debuggee = start(**strict_files(files), allow_subjects=["bob", "alice"])
    visit(setting, debuggee.port, **files.person("alice"))


@versions
def test_both_versions_of_tls_work(version: str, start: Start, files: Files) -> None:
    debuggee = start(**strict_files(files), allow_subjects=["alice"])
    assert try_tls(debuggee.port, version, **files.person("alice")) == "served"


def test_the_key_may_be_in_the_file_of_the_certificate(
    start: Start, files: Files, tmp_path: Path
) -> None:
    both_in_one = tmp_path / "both.pem"
    both_in_one.write_text(Path(files.server_key).read_text() + Path(files.server_cert).read_text())
    assert try_tls(start(certfile=str(both_in_one)).port) == "served"


def test_tls_works_over_a_unix_socket(start: Start, files: Files, socket_dir: Path) -> None:
    debuggee = start(**strict_files(files), unix_socket=str(socket_dir / "s"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.client_cert, files.client_key)
    plain = socket.socket(socket.AF_UNIX)
    plain.connect(str(debuggee.unix_socket))
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        assert RawPeer(sock, Envelope.RPYC6).works()


def test_the_argument_ciphers_sets_the_ciphers_of_tls_1_2(start: Start, files: Files) -> None:
    name = "ECDHE-ECDSA-CHACHA20-POLY1305"
    debuggee = start(**plain_files(files), ciphers=name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        assert sock.cipher()[0] == name
    # The client and the server have no common cipher.
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    plain = socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE)
    with plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")
    assert refusal(debuggee) == "TLS: no shared cipher"


# ---- Clients that are refused --------------------------------------------------------------------


@versions
def test_a_client_without_a_certificate_is_refused(
    version: str, start: Start, files: Files
) -> None:
    debuggee = start(**strict_files(files))
    assert try_tls(debuggee.port, version) != "served"
    assert refusal(debuggee) == "the client sent no certificate"


@versions
def test_a_certificate_of_another_ca_is_refused(version: str, start: Start, files: Files) -> None:
    debuggee = start(**strict_files(files))
    strange = {"keyfile": files.stranger_key, "certfile": files.stranger_cert}
    assert try_tls(debuggee.port, version, **strange) != "served"
    assert refusal(debuggee) == (
        "the client's certificate is not accepted: unable to get local issuer certificate"
    )


@versions
def test_a_certificate_that_has_expired_is_refused(
    version: str, start: Start, files: Files
) -> None:
    debuggee = start(**strict_files(files))
    assert try_tls(debuggee.port, version, **files.person("late", expired=True)) != "served"
    assert refusal(debuggee) == (
        "the client's certificate is not accepted: certificate has expired"
    )


def test_a_plain_client_is_refused(start: Start, files: Files) -> None:
    debuggee = start(**plain_files(files))
    for envelope in Envelope:
        with raw_connect(debuggee, envelope) as peer:
            assert not peer.works()
    assert refusal(debuggee) == "the client does not speak TLS"


def test_a_server_without_tls_disconnects_a_tls_client(start: Start) -> None:
    debuggee = start()
    assert try_tls(debuggee.port) != "served"
    assert debuggee.read_line() == (
        "WARNING client 0 was disconnected: received TLS instead of an RPyC frame"
    )
    with raw_connect(debuggee) as peer:
        assert peer.works()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_tls_without_client_certificates_admits_no_other_user(start: Start, files: Files) -> None:
    debuggee = start(**plain_files(files))
    assert as_user(STRANGER, lambda: try_tls(debuggee.port)) != "served"
    assert debuggee.read_line() == (
        f"WARNING a client was refused: the peer belongs to uid {STRANGER}"
    )
    debuggee = start(**plain_files(files), allow_users=[STRANGER])
    assert as_user(STRANGER, lambda: try_tls(debuggee.port)) == "served"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_over_a_unix_socket_both_the_user_and_the_certificate_are_checked(
    start: Start, files: Files, socket_dir: Path
) -> None:
    path = str(socket_dir / "s")
    debuggee = start(**strict_files(files), unix_socket=path, unix_mode=0o666)

    def is_disconnected() -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            return sock.recv(1) == b""

    assert as_user(STRANGER, is_disconnected)
    assert debuggee.read_line() == (
        f"WARNING a client was refused: the peer belongs to uid {STRANGER}"
    )


# ---- allow_subjects ------------------------------------------------------------------------------


def names(files: Files) -> dict[str, dict[str, str]]:
    """Returns the files of client certificates, by name; all are of the server's CA."""
    return {
        "alice": files.person("alice"),
        "mallory": files.person("mallory"),
        "Alice": files.person("Alice"),
        "alice's twin": files.person("alice", organization="Elsewhere"),
        "prefix": files.person("alic"),
        "none": client_files(files),
    }


def assert_only(debuggee: Debuggee, files: Files, *expected: str, version: str = "TLSv1_3") -> None:
    """Checks that only these of names() are served, and that the log has the others' subjects."""
    for who, shown in names(files).items():
        served = try_tls(debuggee.port, version, **shown) == "served"
        assert served == (who in expected), who
        if not served:
            subject = subject_of(shown["certfile"])
            assert refusal(debuggee) == (
                f"the client's certificate is for '{subject}', which is not allowed"
            )


@versions
def test_only_an_allowed_common_name_is_admitted(version: str, start: Start, files: Files) -> None:
    debuggee = start(**strict_files(files), allow_subjects=["alice"])
    assert_only(debuggee, files, "alice", "alice's twin", version=version)


def test_only_an_allowed_subject_is_admitted(start: Start, files: Files) -> None:
    subject = subject_of(files.person("alice")["certfile"])
    assert subject == "CN=alice,OU=Tests,O=Example"
    assert_only(start(**strict_files(files), allow_subjects=[subject]), files, "alice")


def test_an_empty_allow_subjects_admits_no_client(start: Start, files: Files) -> None:
    assert_only(start(**strict_files(files), allow_subjects=[]), files)


def test_a_common_name_that_looks_like_an_allowed_subject_is_refused(
    start: Start, files: Files
) -> None:
    subject = "CN=alice,OU=Tests,O=Example"
    debuggee = start(**strict_files(files), allow_subjects=[subject])
    assert try_tls(debuggee.port, **files.person(subject, organization="Guests")) != "served"
    assert refusal(debuggee).startswith(r"the client's certificate is for 'CN=CN=alice\,OU=Tests\,")


def test_names_may_have_non_ascii_characters(start: Start, files: Files) -> None:
    debuggee = start(**strict_files(files), allow_subjects=["Zoë Müller"])
    assert try_tls(debuggee.port, **files.person("Zoë Müller")) == "served"
    assert try_tls(debuggee.port, **files.person("Žofie")) != "served"
    assert refusal(debuggee).startswith("the client's certificate is for 'CN=Žofie,OU=Tests,")


@pytest.mark.parametrize("filler", ["é", "\U0001f40d", "x\n"])
def test_the_log_has_long_names_and_names_with_newlines(
    filler: str, start: Start, files: Files
) -> None:
    debuggee = start(**strict_files(files), allow_subjects=["alice"])
    for length in range(4):  # the log line is cut off at each byte of a character
        long = "a" * length + filler * ((64 - length) // len(filler.encode()))
        assert try_tls(debuggee.port, **files.person(long, organization=long)) != "served"
        assert refusal(debuggee).startswith(f"the client's certificate is for 'CN={long[0]}")


# ---- crl -----------------------------------------------------------------------------------------


def crl_file(tmp_path: Path, *lists: bytes) -> str:
    path = tmp_path / "crl.pem"
    path.write_bytes(b"".join(lists))
    return str(path)


@versions
def test_only_a_revoked_certificate_is_refused(
    version: str, start: Start, files: Files, tmp_path: Path
) -> None:
    good, bad = files.person("good"), files.person("bad")
    crl = crl_file(tmp_path, files.crl(bad["certfile"]))
    debuggee = start(**strict_files(files), crl=crl)
    assert try_tls(debuggee.port, version, **good) == "served"
    assert try_tls(debuggee.port, version, **bad) != "served"
    assert refusal(debuggee) == "the client's certificate is not accepted: certificate revoked"
    assert try_tls(start(**strict_files(files)).port, version, **bad) == "served"


def test_a_certificate_is_refused_if_its_ca_was_revoked(
    start: Start, files: Files, tmp_path: Path
) -> None:
    shown = files.person("below", below="middle")
    middle = tmp_path / "middle.pem"
    files.middle_ca("middle").cert_pem.write_to_path(str(middle))
    nothing = files.crl(by="middle")
    good = start(**strict_files(files), crl=crl_file(tmp_path, files.crl(), nothing))
    assert try_tls(good.port, **shown) == "served"
    bad = start(**strict_files(files), crl=crl_file(tmp_path, files.crl(str(middle)), nothing))
    assert try_tls(bad.port, **shown) != "served"
    assert refusal(bad) == "the client's certificate is not accepted: certificate revoked"


def test_without_a_valid_crl_of_its_ca_a_certificate_is_refused(
    start: Start, files: Files, tmp_path: Path
) -> None:
    shown = files.person("good")
    debuggee = start(**strict_files(files), crl=crl_file(tmp_path, files.crl(strange=True)))
    assert try_tls(debuggee.port, **shown) != "served"
    assert refusal(debuggee) == (
        "the client's certificate is not accepted: unable to get certificate CRL"
    )
    debuggee = start(**strict_files(files), crl=crl_file(tmp_path, files.crl(expired=True)))
    assert try_tls(debuggee.port, **shown) != "served"
    assert refusal(debuggee) == "the client's certificate is not accepted: CRL has expired"


# ---- Invalid arguments ---------------------------------------------------------------------------


def attempt(arguments: dict[str, Any]) -> str | None:
    """Calls run_server in another process; returns the exception as text, or None."""
    path = os.environ["LIBRPYC_SSL_PATH"]
    text = repr(arguments).replace(repr(print), "print")
    return start_error(text, LD_LIBRARY_PATH=path)


@pytest.mark.parametrize("name", ["keyfile", "ca_certs", "ciphers", "crl", "allow_subjects"])
def test_arguments_for_tls_require_certfile(name: str) -> None:
    value = ["x"] if name == "allow_subjects" else "x"
    assert attempt({name: value}) == (
        f"ValueError: {name} needs certfile: without a certificate, there is no TLS"
    )


@pytest.mark.parametrize("name", ["crl", "allow_subjects"])
def test_arguments_for_client_certificates_require_ca_certs(name: str, files: Files) -> None:
    value = ["x"] if name == "allow_subjects" else "x"
    assert attempt({**plain_files(files), name: value}) == (
        f"ValueError: {name} needs ca_certs: without ca_certs, clients show no certificate"
    )


@pytest.mark.parametrize("name", ["certfile", "keyfile", "ca_certs", "crl"])
@pytest.mark.rotates(4)
def test_the_error_names_a_file_that_cannot_be_used(
    name: str, files: Files, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    what = {
        "certfile": "certificate",
        "keyfile": "key",
        "ca_certs": "CA file",
        "crl": "list of revoked certificates",
    }
    given = strict_files(files)
    assert attempt({**given, name: "/nowhere.pem"}) == (
        "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere.pem'"
    )
    error = str(attempt({**given, name: str(nonsense)}))
    assert error.startswith(f"ValueError: TLS: cannot use the {what[name]} {nonsense}: ")
    assert "PEM lib" not in error
    for wrong in (5, True, 1.5, [str(nonsense)]):
        error = str(attempt({**given, name: wrong}))
        assert error == f"TypeError: invalid {name} {wrong!r}: expected the path of a file"


def test_an_empty_crl_file_is_an_error(files: Files, tmp_path: Path) -> None:
    crl = crl_file(tmp_path)
    error = str(attempt({**strict_files(files), "crl": crl}))
    assert error.startswith(f"ValueError: TLS: cannot use the list of revoked certificates {crl}: ")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"ciphers": "NONSENSE"}, "ValueError: TLS: cannot use the ciphers NONSENSE: "),
        ({"ciphers": 5}, "TypeError: invalid ciphers 5: expected a str in the form of OpenSSL's"),
        ({"allow_subjects": "alice"}, "TypeError: invalid allow_subjects 'alice': expected a li"),
        ({"allow_subjects": 5}, "TypeError: invalid allow_subjects 5: expected a list of names"),
        ({"allow_subjects": [b"x"]}, "TypeError: invalid item of allow_subjects b'x': expected a "),
        (
            {"allow_subjects": [""]},
            "ValueError: invalid item of allow_subjects '': expected a comm",
        ),
        (
            {"allow_subjects": ["a\0b"]},
            "ValueError: invalid item of allow_subjects 'a\\x00b': expe",
        ),
        (
            {"allow_users": [5]},
            "ValueError: allow_users cannot be combined with client certificate",
        ),
        ({"authenticator": print}, "ValueError: authenticator cannot be combined with certfile"),
    ],
    ids=str,
)
@pytest.mark.rotates(3)
def test_the_error_names_the_invalid_argument(
    more: dict[str, Any], error: str, files: Files
) -> None:
    assert str(attempt({**strict_files(files), **more})).startswith(error)


def test_an_outer_address_requires_client_certificates_or_insecure(
    start: Start, files: Files
) -> None:
    for given in ({}, plain_files(files)):
        error = str(attempt({**given, "host": "0.0.0.0"}))
        assert error.startswith("ValueError: 0.0.0.0 is not a loopback address")
    debuggee = start(**strict_files(files), host="0.0.0.0", allow_subjects=["alice"])
    assert try_tls(debuggee.port, **files.person("alice")) == "served"
    debuggee = start(**plain_files(files), host="0.0.0.0", insecure=True)
    assert try_tls(debuggee.port) == "served"


def test_a_failure_leaves_no_error_in_the_queue_of_openssl(files: Files) -> None:
    code = """
import ctypes, json, sys
import pystuck
try:
    pystuck.run_server(port=0, **json.loads(sys.argv[1]))
except ValueError as error:
    with open("/proc/self/maps") as maps:
        used = {line.split()[-1] for line in maps if "/libcrypto" in line}
    print(json.dumps([ctypes.CDLL(path).ERR_peek_error() for path in used]))
"""
    given = {**plain_files(files), "keyfile": files.client_key}
    path = os.environ["LIBRPYC_SSL_PATH"]
    left = run_python(code, json.dumps(given), LD_LIBRARY_PATH=path)
    assert left == [0] * len(left)
    assert left


def test_the_server_works_when_its_files_are_deleted(
    start: Start, files: Files, tmp_path: Path
) -> None:
    copies = {}
    for name, path in strict_files(files).items():
        copies[name] = str(tmp_path / name)
        Path(copies[name]).write_bytes(Path(path).read_bytes())
    debuggee = start(**copies)
    for path in copies.values():
        os.unlink(path)
    assert try_tls(debuggee.port, **client_files(files)) == "served"
    assert debuggee.read_line().startswith(
        "WARNING cannot use the changed TLS files, so the server keeps using the old ones: TLS: "
    )


def test_tls_sessions_are_not_resumed(start: Start, files: Files) -> None:
    debuggee = start(**strict_files(files))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.client_cert, files.client_key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        session = None
        for _ in range(2):
            plain = socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE)
            with (
                plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as sock,
            ):
                assert RawPeer(sock, Envelope.RPYC6).request(Handler.GETROOT) is not None
                assert not sock.session_reused
                session = sock.session


# ---- Files that change ---------------------------------------------------------------------------


def serial_of_server(debuggee: Debuggee, files: Files) -> int:
    """Returns the serial number of the server's certificate."""
    context = ssl.create_default_context(cafile=files.ca)
    plain = socket.create_connection(("127.0.0.1", debuggee.port), PATIENCE)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        assert RawPeer(sock, Envelope.RPYC6).works()
        return int(sock.getpeercert()["serialNumber"], 16)


def test_a_renewed_certificate_is_used(start: Start, files: Files, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_text(Path(files.server_key).read_text())
    cert.write_text(Path(files.server_cert).read_text())
    debuggee = start(certfile=str(cert), keyfile=str(key))
    before = debuggee.holdings()
    old = serial_of_server(debuggee, files)
    new_key, new_cert = files.renewed_server()
    os.replace(new_key, key)
    assert (
        serial_of_server(debuggee, files) == old
    )  # the new key does not belong to the old certificate
    assert debuggee.read_line() == (
        "WARNING cannot use the changed TLS files, so the server keeps using the old ones: "
        f"TLS: cannot use the key {key}: key values mismatch"
    )
    os.replace(new_cert, cert)
    assert serial_of_server(debuggee, files) != old
    debuggee.wait_until_back_to(before)


def test_a_certificate_that_is_revoked_later_is_refused(
    start: Start, files: Files, tmp_path: Path
) -> None:
    alice, bob = files.person("alice"), files.person("bob")
    path = crl_file(tmp_path, files.crl())
    debuggee = start(**strict_files(files), crl=path)
    assert try_tls(debuggee.port, **alice) == "served"
    Path(path).write_bytes(files.crl(alice["certfile"]))
    assert try_tls(debuggee.port, **alice) != "served"
    assert "certificate revoked" in refusal(debuggee)
    assert try_tls(debuggee.port, **bob) == "served"


def test_the_former_files_stay_in_use_while_a_file_is_invalid(
    start: Start, files: Files, tmp_path: Path
) -> None:
    alice, bob = files.person("alice"), files.person("bob")
    path = crl_file(tmp_path, files.crl(alice["certfile"]))
    debuggee = start(**strict_files(files), crl=path)
    Path(path).write_text("nonsense\n")
    used = (
        "WARNING cannot use the changed TLS files, so the server keeps using the old ones: "
        "TLS: cannot use the list of revoked "
    )
    assert try_tls(debuggee.port, **bob) == "served"
    assert debuggee.read_line().startswith(used)
    assert try_tls(debuggee.port, **alice) != "served"
    assert "certificate revoked" in refusal(debuggee)


def test_relative_names_of_files_are_still_valid_after_chdir(files: Files, tmp_path: Path) -> None:
    options = {"port": 0, "certfile": "cert.pem", "keyfile": "key.pem"}
    (tmp_path / "key.pem").write_text(Path(files.server_key).read_text())
    (tmp_path / "cert.pem").write_text(Path(files.server_cert).read_text())
    argv = command("plain.py", json.dumps(options), "import os; os.chdir('/')")
    env = debuggee_environment(LD_LIBRARY_PATH=os.environ["LIBRPYC_SSL_PATH"])
    debuggee = Debuggee(argv, env, cwd=tmp_path)
    try:
        old = serial_of_server(debuggee, files)
        new_key, new_cert = files.renewed_server()
        os.replace(new_key, tmp_path / "key.pem")
        os.replace(new_cert, tmp_path / "cert.pem")
        assert serial_of_server(debuggee, files) != old
        debuggee.end_well()
    finally:
        debuggee.kill()
