# SPDX-License-Identifier: BSD-3-Clause
"""pystuck-keys(1): the certificates that it makes, and connections that use them."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import rpyc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from harness import (
    PATIENCE,
    STRANGER,
    Debuggee,
    as_user,
    c_program,
    clean_environment,
    command,
    pystuck,
    run_program,
    stock_environment,
)
from test_authenticators import environment

Done = subprocess.CompletedProcess

pytestmark = pytest.mark.skipif(
    not os.environ.get("PYSTUCK_KEYS"), reason="built without OpenSSL: there is no pystuck-keys"
)

ALL = ["ca.key", "ca.pem", "client.key", "client.pem", "server.key", "server.pem"]


def keys(*arguments: object, **more: Any) -> Done[str]:
    """Runs pystuck-keys."""
    return run_program(c_program("PYSTUCK_KEYS", *arguments), **more)


def make(*arguments: object) -> str:
    """Runs pystuck-keys, which must succeed. Returns its output."""
    done = keys(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with all files of pystuck-keys."""
    make(tmp_path / "keys", "db1.example.org", "10.1.2.3", "fe80::1")
    return tmp_path / "keys"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def extension(cert: x509.Certificate, kind: type) -> Any:
    """The value of an extension, and whether it is critical."""
    found = cert.extensions.get_extension_for_class(kind)
    return found.value, found.critical


# ---- What is made --------------------------------------------------------------------------------


def test_the_directory_is_made_with_all_files_and_keys_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    before = os.umask(0)
    try:
        make(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert names_in(folder) == ALL
    for path in folder.iterdir():
        expected = 0o600 if path.suffix == ".key" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == expected


def test_a_directory_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    make(tmp_path)
    assert names_in(tmp_path) == sorted([*ALL, "mine"])


def test_each_key_belongs_to_its_certificate(folder: Path) -> None:
    for name in ("ca", "server", "client"):
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        assert key.curve.name == "secp256r1"
        assert certificate(folder / f"{name}.pem").public_key() == key.public_key()


def test_the_ca_is_one_and_may_sign(folder: Path) -> None:
    ca = certificate(folder / "ca.pem")
    assert ca.version is x509.Version.v3
    assert extension(ca, x509.BasicConstraints) == (x509.BasicConstraints(True, 0), True)
    usage, critical = extension(ca, x509.KeyUsage)
    assert critical
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    ca.verify_directly_issued_by(ca)


def test_each_certificate_is_for_its_side_alone(folder: Path) -> None:
    ca = certificate(folder / "ca.pem")
    for name, wanted in (
        ("server", ExtendedKeyUsageOID.SERVER_AUTH),
        ("client", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        cert = certificate(folder / f"{name}.pem")
        cert.verify_directly_issued_by(ca)
        assert extension(cert, x509.BasicConstraints) == (x509.BasicConstraints(False, None), True)
        assert list(extension(cert, x509.ExtendedKeyUsage)[0]) == [wanted]
        usage, critical = extension(cert, x509.KeyUsage)
        assert (usage.digital_signature, usage.key_cert_sign, critical) == (True, False, True)


def test_the_server_is_called_by_all_its_names(folder: Path) -> None:
    names, _ = extension(certificate(folder / "server.pem"), x509.SubjectAlternativeName)
    hosts = names.get_values_for_type(x509.DNSName)
    assert hosts[0] == "localhost"
    assert hosts[-1] == "db1.example.org"
    if re.fullmatch(r"[\w-]+(\.[\w-]+)*", socket.gethostname()):
        assert socket.gethostname() in hosts
    assert len(set(hosts)) == len(hosts)
    addresses = [str(a) for a in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1", "10.1.2.3", "fe80::1"]


def days_of(path: Path) -> int:
    """How many days a certificate is still valid, rounded down."""
    cert = certificate(path)
    end = cert.not_valid_after_utc
    assert cert.not_valid_before_utc < datetime.now(timezone.utc) - timedelta(minutes=30)
    return (end - datetime.now(timezone.utc) + timedelta(minutes=30)).days


def test_certificates_hold_for_as_long_as_is_said(tmp_path: Path) -> None:
    for options, expected in (([], (3650, 825)), (["--days", 9000], (9000, 9000))):
        folder = tmp_path / str(len(options))
        make(*options, folder)
        for name, days in zip(("ca", "server", "client"), (*expected, expected[1])):
            assert days_of(folder / f"{name}.pem") == days


def test_no_certificate_holds_for_longer_than_its_ca(folder: Path) -> None:
    make("--days", 36500, "--client", "you", folder)
    ca, client = certificate(folder / "ca.pem"), certificate(folder / "you.pem")
    assert client.not_valid_after_utc == ca.not_valid_after_utc


def test_every_ca_and_every_serial_number_is_another(tmp_path: Path) -> None:
    seen = set()
    for name in ("a", "b"):
        make(tmp_path / name)
        for path in (tmp_path / name).glob("*.pem"):
            seen.add(certificate(path).serial_number)
        seen.add(certificate(tmp_path / name / "ca.pem").subject)
    assert len(seen) == 8


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl(1)")
def test_openssl_accepts_them_strictly(folder: Path) -> None:
    for name in ("server", "client"):
        argv = ["openssl", "verify", "-x509_strict", "-purpose", f"ssl{name}"]
        files = ["-CAfile", folder / "ca.pem", folder / f"{name}.pem"]
        done = subprocess.run([*argv, *files], capture_output=True, text=True, check=False)
        assert done.stdout.endswith("OK\n"), done.stderr


def context_of(folder: Path, name: str, purpose: ssl.Purpose) -> ssl.SSLContext:
    """The strictest TLS context of Python, for one side."""
    context = ssl.create_default_context(purpose, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "db1.example.org", "10.1.2.3"])
def test_python_accepts_them_strictly(folder: Path, name: str) -> None:
    ours, theirs = socket.socketpair()
    server = context_of(folder, "server", ssl.Purpose.CLIENT_AUTH)
    client = context_of(folder, "client", ssl.Purpose.SERVER_AUTH)
    subjects = []

    def serve() -> None:
        with theirs, server.wrap_socket(theirs, server_side=True) as tls:
            subjects.append(tls.getpeercert()["subject"])
            tls.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    with ours, client.wrap_socket(ours, server_hostname=name) as tls:
        assert tls.recv(1) == b"x"
    thread.join()
    assert subjects == [((("commonName", "client"),),)]


# ---- What it says to type ------------------------------------------------------------------------


def lines_in(text: str) -> list[str]:
    """Returns the lines of the output that the user can type or copy."""
    return [
        line.strip()
        for line in text.splitlines()
        if line.startswith(("    pystuck ", "    pystuck.run_server("))
    ]


def arguments_of(call: str) -> dict[str, str]:
    """The keyword arguments of a call of run_server."""
    tree = ast.parse(call, mode="eval").body
    assert isinstance(tree, ast.Call)
    assert ast.unparse(tree.func) == "pystuck.run_server"
    return {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}


@contextlib.contextmanager
def serving(files: dict[str, str], *, stock: bool = False) -> Iterator[Debuggee]:
    """A program with a server that uses these files."""
    wanted = {name: files[name] for name in ("certfile", "keyfile", "ca_certs")}
    if stock:
        argv, env = command("stock_tls.py", json.dumps(wanted)), stock_environment("PYSTUCK_RPYC6")
    else:
        run = {"host": files["host"]}
        argv = command("authenticated.py", json.dumps({"ssl": wanted, "run": run}))
        env = environment()
    debuggee = Debuggee(argv, env)
    try:
        yield debuggee
    finally:
        debuggee.kill()


def typed(line: str, debuggee: Debuggee, *more: str) -> Done[str]:
    """Runs the printed command on that server."""
    program, *options, host = shlex.split(line)
    assert program == "pystuck"
    libraries = {"LD_LIBRARY_PATH": os.environ["LIBRPYC_SSL_PATH"]}
    assert host
    return pystuck(*options, *more, "127.0.0.1", debuggee.port, "-c", "6 * 7", **libraries)


@pytest.mark.parametrize("name", ["keys", 'it\'s \\ odd "$HOME"', "\N{SNOWMAN}"])
@pytest.mark.parametrize("stock", [False, True])
@pytest.mark.rotates(3)
def test_what_it_says_to_type_works(tmp_path: Path, name: str, stock: bool) -> None:
    text = make(tmp_path / name)
    call, line = lines_in(text)
    files = arguments_of(call)
    assert files == {
        "host": "0.0.0.0",
        "certfile": str(tmp_path / name / "server.pem"),
        "keyfile": str(tmp_path / name / "server.key"),
        "ca_certs": str(tmp_path / name / "ca.pem"),
    }
    with serving(files, stock=stock) as debuggee:
        done = typed(line, debuggee)
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
        bare = pystuck("127.0.0.1", debuggee.port)
        assert bare.returncode == 1
        assert "requires TLS" in bare.stderr


def test_a_stock_client_gets_in_with_them(folder: Path) -> None:
    files = {
        "host": "127.0.0.1",
        "certfile": str(folder / "server.pem"),
        "keyfile": str(folder / "server.key"),
        "ca_certs": str(folder / "ca.pem"),
    }
    with serving(files) as debuggee:
        c = rpyc.classic.ssl_connect(
            "127.0.0.1",
            debuggee.port,
            keyfile=str(folder / "client.key"),
            certfile=str(folder / "client.pem"),
            ca_certs=str(folder / "ca.pem"),
        )
        assert c.eval("6 * 7") == 42
        c.close()


def test_the_command_names_the_host_as_it_is_called(tmp_path: Path) -> None:
    for names, expected in (
        (["db1.example.org", "10.1.2.3"], "db1.example.org"),
        (["*.example.org", "10.1.2.3"], "10.1.2.3"),
    ):
        line = lines_in(make(tmp_path / expected, *names))[1]
        assert shlex.split(line)[-1] == expected


# ---- More clients --------------------------------------------------------------------------------


def test_one_more_client_is_of_the_same_ca(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    call, _ = lines_in(make(folder.parent / "other"))
    line = lines_in(make("--client", "me@example.org", folder))[0]
    assert names_in(folder) == sorted([*ALL, "me@example.org.key", "me@example.org.pem"])
    assert all(path.read_bytes() == text for path, text in before.items())
    assert stat.S_IMODE((folder / "me@example.org.key").stat().st_mode) == 0o600
    cert = certificate(folder / "me@example.org.pem")
    assert [a.value for a in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [
        "me@example.org"
    ]
    names, _ = extension(cert, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.RFC822Name) == ["me@example.org"]
    files = {
        name: value.replace("other", "keys", 1) if name != "host" else value
        for name, value in arguments_of(call).items()
    }
    with serving(files) as debuggee:
        done = typed(line, debuggee)
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


# ---- Revocation ----------------------------------------------------------------------------------


def revoked(folder: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((folder / "crl.pem").read_bytes())


def test_a_certificate_is_put_on_the_list(folder: Path) -> None:
    make("--client", "you", folder)
    ca = certificate(folder / "ca.pem")
    serials = [certificate(folder / f"{name}.pem").serial_number for name in ("client", "you")]
    for count, name in enumerate(("client", "you"), 1):
        text = make("--revoke", folder / f"{name}.pem", folder)
        assert arguments_of(lines_in(text)[0])["crl"] == str(folder / "crl.pem")
        listed = revoked(folder)
        assert listed.is_signature_valid(ca.public_key())
        assert sorted(each.serial_number for each in listed) == sorted(serials[:count])
        assert extension(listed, x509.CRLNumber)[0].crl_number == count
        assert listed.next_update_utc == ca.not_valid_after_utc
    assert "crl.pem.new" not in names_in(folder)
    text = make("--revoke", folder / "you.pem", folder)  # revoking it again changes nothing
    assert "on the revocation list" in text
    assert "already" in text
    assert len(list(revoked(folder))) == 2
    assert extension(revoked(folder), x509.CRLNumber)[0].crl_number == 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl(1)")
def test_openssl_goes_by_the_list(folder: Path) -> None:
    make("--client", "you", folder)
    make("--revoke", folder / "client.pem", folder)
    for name, told in (("you", "OK"), ("client", "certificate revoked")):
        argv = ["openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", folder / "crl.pem"]
        files = ["-CAfile", folder / "ca.pem", folder / f"{name}.pem"]
        done = subprocess.run([*argv, *files], capture_output=True, text=True, check=False)
        assert told in done.stdout + done.stderr


# ---- Refusals ------------------------------------------------------------------------------------


def assert_fails(done: Done[str], status: int, sentence: str) -> None:
    """Checks that pystuck-keys fails with one line, which says why."""
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == f"pystuck-keys: {sentence}\n"


@pytest.mark.parametrize("there", ALL)
def test_nothing_is_overwritten_nor_left_half_done(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    done = keys(tmp_path)
    assert_fails(done, 1, f"{tmp_path}/{there} exists already: nothing was written")
    assert names_in(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "ca.key").symlink_to(tmp_path / "elsewhere")
    assert_fails(keys(tmp_path), 1, f"{tmp_path}/ca.key exists already: nothing was written")
    assert names_in(tmp_path) == ["ca.key"]


def test_a_client_that_is_there_is_not_made_again(folder: Path) -> None:
    done = keys("--client", "client", folder)
    assert_fails(done, 1, f"{folder}/client.pem exists already: nothing was written")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_a_directory_that_cannot_be_written_to(socket_dir: Path) -> None:
    done = as_user(STRANGER, lambda: keys(socket_dir / "keys"))
    assert_fails(done, 1, f"cannot create {socket_dir}/keys: Permission denied")
    done = as_user(STRANGER, lambda: keys(socket_dir))
    assert_fails(done, 1, f"cannot write {socket_dir}/ca.pem: Permission denied")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files acts like a full disk."""
    argv = c_program("PYSTUCK_KEYS", tmp_path)
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", *argv],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"pystuck-keys: cannot write {tmp_path}/ca.pem: File too large\n"
    assert names_in(tmp_path) == []


def test_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = keys(tmp_path / "file")
    assert_fails(done, 1, f"cannot open {tmp_path}/file: Not a directory")
    done = keys(tmp_path / "no" / "keys")
    assert_fails(done, 1, f"cannot create {tmp_path}/no/keys: No such file or directory")


def broken(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


@pytest.mark.parametrize("arguments", [["--client", "you"], ["--revoke", "client.pem"]])
def test_a_ca_that_cannot_be_used_is_named(
    folder: Path, tmp_path: Path, arguments: list[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    arguments = [arguments[0], arguments[1].replace("client", str(folder / "client"))]

    def told() -> str:
        done = keys(*arguments, elsewhere)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr.removeprefix("pystuck-keys: ").rstrip("\n")

    assert told() == f"cannot open {elsewhere}: No such file or directory"
    elsewhere.mkdir()
    assert told() == f"cannot read {elsewhere}/ca.pem: No such file or directory"
    (elsewhere / "ca.pem").write_text("")
    assert told() == f"cannot read {elsewhere}/ca.key: No such file or directory"
    (elsewhere / "ca.key").write_text("")
    assert told().startswith(f"{elsewhere}/ca.pem contains no certificate: ")
    shutil.copy(folder / "ca.pem", elsewhere)
    assert told().startswith(f"cannot use the key in {elsewhere}/ca.key: ")
    shutil.copy(folder / "server.key", elsewhere / "ca.key")
    assert told() == f"{elsewhere}/ca.key is not the key of {elsewhere}/ca.pem"
    assert names_in(elsewhere) == ["ca.key", "ca.pem"]


def test_what_cannot_be_revoked(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "other")
    none = tmp_path / "none"
    none.write_text("")
    strange = tmp_path / "other" / "client.pem"
    ca = folder / "ca.pem"
    for path, sentence in (
        (tmp_path / "x", f"cannot read {tmp_path}/x: No such file or directory"),
        (none, f"{none} contains no certificate"),
        (strange, f"{strange} is not signed by the CA in {folder}"),
        (ca, f"{ca} is the certificate of the CA itself: a CA cannot revoke its own certificate"),
    ):
        assert_fails(keys("--revoke", path, folder), 1, sentence)
    assert names_in(folder) == ALL
    make("--revoke", strange, tmp_path / "other")
    shutil.copy(tmp_path / "other" / "crl.pem", folder)
    done = keys("--revoke", folder / "client.pem", folder)
    assert_fails(done, 1, f"{folder}/crl.pem is not a revocation list of this CA")


CLIENT_NAME = (
    "expected 1 to 64 letters, digits and @_.-, beginning with neither . nor -, and not the name "
    "ca, server or crl"
)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no directory given: pystuck-keys DIR"),
        (["--days"], "option '--days' requires an argument"),
        (["--days", "0", "d"], "invalid number of days '0': expected 1 to 36500"),
        (["--days", "-1", "d"], "invalid number of days '-1': expected 1 to 36500"),
        (["--days", "36501", "d"], "invalid number of days '36501': expected 1 to 36500"),
        (["--days", "x", "d"], "invalid number of days 'x': expected 1 to 36500"),
        (["d", "a b"], "invalid name 'a b': expected a host name or an IP address"),
        (["d", "a..b"], "invalid name 'a..b': expected a host name or an IP address"),
        (["d", ""], "invalid name '': expected a host name or an IP address"),
        (["d", "a.*"], "invalid name 'a.*': expected a host name or an IP address"),
        (["d", "DNS:a"], "invalid name 'DNS:a': expected a host name or an IP address"),
        (["d", "a" * 254], f"invalid name '{'a' * 254}': expected a host name or an IP address"),
        (["--client", "a", "--revoke", "f", "d"], "--client cannot be combined with --revoke"),
        (["--client", "a", "d", "b"], "one argument too many: 'b'"),
        (
            ["--revoke", "f", "--days", "5", "d"],
            "--days cannot be combined with --revoke",
        ),
        *(
            (["--client", name, "d"], f"invalid client name '{name}': {CLIENT_NAME}")
            for name in ("", "ca", "server", "crl", "a/b", ".a", "-a", "a b", "a" * 65)
        ),
        (["--nonsense"], "unrecognized option '--nonsense'"),
    ],
    ids=str,
)
def test_a_wrong_command_line(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    assert_fails(keys(*arguments, cwd=tmp_path), 2, sentence)
    assert names_in(tmp_path) == []


# ---- Help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_and_the_man_page_have_the_same_options(option: str) -> None:
    text = make(option)
    page = (Path(__file__).parents[2] / "doc" / "pystuck-keys.1").read_text()
    told = set(re.findall(r"^\.It Fl (-\w+)", page, re.MULTILINE))
    shown = set(re.findall(r"^  (?:-h, )?-(-\w+)", text, re.MULTILINE))
    assert shown == told | {"-help"}
    assert text.startswith("usage: pystuck-keys [--days N] DIR [NAME...]\n")
    assert max(map(len, text.splitlines())) <= 80


def test_version_is_that_of_pystuck() -> None:
    assert make("--version") == pystuck("--version").stdout.replace("pystuck", "pystuck-keys")
