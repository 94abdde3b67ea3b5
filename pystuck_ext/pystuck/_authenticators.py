"""The authenticators of rpyc's servers: callables that identify a client by its socket.

rpyc's SSLAuthenticator is never called. Instead, the native server speaks TLS with the certificate
and key files that the SSLAuthenticator names.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import _pystuck

from . import _values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The values of ssl_version that are accepted. With None, ssl.PROTOCOL_TLS and
#: ssl.PROTOCOL_TLS_SERVER, OpenSSL chooses the version of TLS; with ssl.PROTOCOL_TLSv1_2, only TLS
#: 1.2 is used.
_ANY_VERSION = (None, 2, 17)
_ONLY_TLS_1_2 = 5


def _is_ssl_authenticator(authenticator: Any) -> bool:
    module = sys.modules.get("rpyc.utils.authenticators")
    stock = getattr(module, "SSLAuthenticator", None)
    return (
        stock is not None
        and isinstance(authenticator, stock)
        and type(authenticator).__call__ is stock.__call__
    )


def native_settings(authenticator: Any) -> dict[str, Any]:
    """Return the native server's settings for an SSLAuthenticator; {} for other authenticators.

    Raises ValueError for a version of TLS before 1.2.
    """
    if not _is_ssl_authenticator(authenticator):
        return {}
    version = authenticator.ssl_version
    if version not in (*_ANY_VERSION, _ONLY_TLS_1_2):
        shown = getattr(version, "name", version)
        raise ValueError(
            f"invalid authenticator with ssl_version {shown}: expected TLS 1.2 or later"
        )
    file = _values.File()
    settings: dict[str, Any] = {
        name: file.check(f"{name} of the authenticator", getattr(authenticator, name) or None)
        for name in ("certfile", "keyfile", "ca_certs")
    }
    settings["ciphers"] = authenticator.ciphers
    settings["client_certificate"] = int(authenticator.cert_reqs)
    settings["only_tls_1_2"] = version == _ONLY_TLS_1_2
    return settings


def for_session(authenticator: Callable[[Any], Any]) -> Callable[[_pystuck.Session], Any]:
    """Return a function that authenticates the client of a session and returns its credentials.

    The function raises what the authenticator raises, and TypeError if the authenticator returns a
    socket other than the given one.
    """
    if _is_ssl_authenticator(authenticator):
        import ssl  # noqa: F401  now: later, a stuck thread may hold the import lock

        return lambda session: _certificate(session.certificate)

    def authenticate(session: _pystuck.Session) -> Any:
        with socket.socket(fileno=os.dup(session.fileno())) as sock:
            answer, credentials = authenticator(sock)
            if answer is not sock:
                raise TypeError(
                    f"the authenticator returned another socket, a {type(answer).__name__}: only "
                    "rpyc's SSLAuthenticator may do that"
                )
        return credentials

    return authenticate


def _certificate(der: bytes | None) -> dict[str, Any] | None:
    """Return a certificate in the form of ssl.SSLSocket.getpeercert(); None if der is None.

    Returns {} if the certificate cannot be decoded. The ssl module decodes only the certificates of
    its own connections. But it has a function for its tests that decodes a certificate in a file.
    This function is used here.
    """
    if der is None:
        return None
    ssl = sys.modules["ssl"]
    number = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(number, "w") as file:
        file.write(ssl.DER_cert_to_PEM_cert(der))
        file.flush()
        with contextlib.suppress(AttributeError, OSError):
            return ssl._ssl._test_decode_cert(f"/proc/self/fd/{number}")
    return {}
