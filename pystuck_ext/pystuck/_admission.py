"""Rules for combinations of run_server's options, which exclude or require each other.

These options decide who may connect, and how. The functions take the values that
_server_options.check returns. The checks of single values are in _values.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Modes of a Unix socket's file.
_OWNER, _GROUP, _EVERYONE = 0o600, 0o660, 0o666


def check(values: dict[str, Any]) -> None:
    """Check that no option contradicts another option. Raises ValueError, which names both."""
    path = values["unix_socket"]
    if values["insecure"] and path is not None:
        raise ValueError(
            "insecure cannot be combined with unix_socket: insecure is for TCP; use allow_users or "
            "unix_group"
        )
    if values["unix_mode"] is not None and os.fsdecode(path).startswith("@"):
        raise ValueError(
            "unix_mode cannot be combined with an abstract unix_socket ('@name'), which has no file"
        )
    if values["authenticator"] and values["certfile"] is not None:
        raise ValueError("authenticator cannot be combined with certfile: both would set up TLS")
    if values["insecure"] and values["allow_users"] is not None:
        raise ValueError("allow_users cannot be combined with insecure, which admits every user")
    if values["follow_fork"] and path is not None and "{pid}" not in os.fsdecode(path):
        raise ValueError("follow_fork needs '{pid}' in unix_socket: each child has its own socket")


def check_certificates(values: dict[str, Any], *, certified: bool) -> None:
    """If clients must show a certificate, check that no other option contradicts this requirement.

    certified: whether clients must show a certificate. Raises ValueError.
    """
    if certified and values["unix_socket"] is None and values["allow_users"] is not None:
        raise ValueError(
            "allow_users cannot be combined with client certificates over TCP: there, "
            "only the certificate decides who is admitted; use allow_subjects"
        )


def unix_mode(values: dict[str, Any]) -> int:
    """Return the mode of the Unix socket's file: unix_mode, or a default for the admitted users."""
    if values["unix_mode"] is not None:
        return values["unix_mode"]
    if values["allow_users"]:
        return _EVERYONE  # the server asks the kernel which user has connected
    return _OWNER if values["unix_group"] is None else _GROUP
