# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for the tests of TLS."""

from __future__ import annotations

from pathlib import Path

import trustme


class Files:
    """A CA, another CA, and certificates: of the first for a server and for a client, whose name is
    me@example.org; and of the other one for a stranger."""

    def __init__(self, folder: Path) -> None:
        ca, other_ca = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = str(folder / "ca.pem"), str(folder / "other-ca.pem")
        ca.cert_pem.write_to_path(self.ca)
        other_ca.cert_pem.write_to_path(self.other_ca)
        self.server_key, self.server_cert = self.issue(ca, folder / "server", "127.0.0.1")
        self.client_key, self.client_cert = self.issue(ca, folder / "client", "me@example.org")
        stranger = self.issue(other_ca, folder / "stranger", "stranger@example.org")
        self.stranger_key, self.stranger_cert = stranger

    @staticmethod
    def issue(ca: trustme.CA, stem: Path, identity: str) -> tuple[str, str]:
        """Writes a key and a certificate for an identity; returns their paths."""
        issued = ca.issue_cert(identity)
        key, cert = str(stem) + ".key", str(stem) + ".pem"
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(cert)
        return key, cert
