# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for the tests of TLS."""

from __future__ import annotations

import datetime
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

_DAY = datetime.timedelta(days=1)


class Files:
    """Makes certificates: one of a CA for a server, one for a client with the name me@example.org,
    and one of another CA for a stranger."""

    def __init__(self, folder: Path) -> None:
        ca, other_ca = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = str(folder / "ca.pem"), str(folder / "other-ca.pem")
        ca.cert_pem.write_to_path(self.ca)
        other_ca.cert_pem.write_to_path(self.other_ca)
        self.server_key, self.server_cert = self.issue(ca, folder / "server", "127.0.0.1")
        self.client_key, self.client_cert = self.issue(ca, folder / "client", "me@example.org")
        stranger = self.issue(other_ca, folder / "stranger", "stranger@example.org")
        self.stranger_key, self.stranger_cert = stranger
        self.folder, self._ca, self._other_ca = folder, ca, other_ca

    @staticmethod
    def issue(ca: trustme.CA, stem: Path, identity: str) -> tuple[str, str]:
        """Writes a key and a certificate for an identity and returns their paths."""
        return _write(ca.issue_cert(identity), stem)

    def renewed_server(self) -> tuple[str, str]:
        """Returns the paths of another key and certificate for the server."""
        return self.issue(self._ca, self.folder / "renewed", "127.0.0.1")

    def person(
        self, name: str, organization: str = "Example", *, expired: bool = False, below: str = ""
    ) -> dict[str, str]:
        """Returns the key and the certificate for this common name, as arguments of stock's
        ssl_connect. `below` names an intermediate CA that issues the certificate."""
        now = datetime.datetime.now(datetime.timezone.utc)
        issued = (self.middle_ca(below) if below else self._ca).issue_cert(
            f"{abs(hash(name))}@example.org",
            common_name=name,
            organization_name=organization,
            organization_unit_name="Tests",
            not_before=now - 10 * _DAY,
            not_after=now - _DAY if expired else now + 10 * _DAY,
        )
        stem = self.folder / f"{abs(hash((name, organization, expired, below)))}"
        return dict(zip(("keyfile", "certfile"), _write(issued, stem)))

    def middle_ca(self, name: str) -> trustme.CA:
        """Returns an intermediate CA; the same CA for the same name."""
        made = self.__dict__.setdefault("_middle", {})
        if name not in made:
            made[name] = self._ca.create_child_ca()
        return made[name]

    def crl(
        self, *revoked: str, by: str = "", strange: bool = False, expired: bool = False
    ) -> bytes:
        """Returns a revocation list in PEM: of the CA, of an intermediate CA, or of the other CA.
        It contains the certificates in these files."""
        ca = self.middle_ca(by) if by else self._other_ca if strange else self._ca
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject)
            .last_update(now - 10 * _DAY)
            .next_update(now - _DAY if expired else now + 10 * _DAY)
        )
        for path in revoked:
            certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now - _DAY)
                .build()
            )
        key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
        signed = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]
        return signed.public_bytes(serialization.Encoding.PEM)


def _write(issued: trustme.LeafCert, stem: Path) -> tuple[str, str]:
    key, cert = str(stem) + ".key", str(stem) + ".pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(cert)
    for link in issued.cert_chain_pems[1:]:
        link.write_to_path(cert, append=True)
    return key, cert


def subject_of(path: str) -> str:
    """Returns the subject of the certificate in a file, in the form of RFC 2253."""
    return x509.load_pem_x509_certificate(Path(path).read_bytes()).subject.rfc4514_string()
