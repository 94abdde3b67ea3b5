"""PYSTUCK in the environment: a server in any program that imports pystuck.

PYSTUCK=1 is a socket for each process, see _runtime; otherwise it is an address: "port",
"host:port", "[::1]:port" or "unix:/path/{pid}.sock". Empty and 0 turn nothing on.

Child processes inherit the variable, and most of those that import pystuck were not thought of when
it was set. So it never makes a program fail, nor print anything: what goes wrong is logged.
"""

from __future__ import annotations

import contextlib
import os
import sys

import _pystuck

__all__ = ["address", "turn_on", "value"]


def value() -> str:
    """What PYSTUCK is, or "" if it turns nothing on."""
    text = os.environ.get("PYSTUCK", "")
    # As getenv() and secure_getenv() differ: whoever runs a program with more rights than they
    # have, or asks Python for one that ignores the environment.
    ignored = (
        sys.flags.ignore_environment
        or os.getuid() != os.geteuid()
        or os.getgid() != os.getegid()
        or text == "0"
    )
    return "" if ignored else text


def address(text: str) -> dict[str, str | int]:
    """The arguments for run_server() that a value of PYSTUCK means. Raises ValueError, OSError."""
    if text == "1":
        from . import _runtime

        return {"unix_socket": _runtime.socket_path()}
    if text.startswith("unix:"):
        return {"unix_socket": text[len("unix:") :]}
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        raise ValueError("neither 1, nor a port, host:port, [host]:port, or unix:path")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address goes in brackets: [::1]:port")
    return {"host": host, "port": int(port)} if colon else {"port": int(port)}


def _warn(text: str, error: Exception) -> None:
    import logging

    logger = logging.getLogger("pystuck")
    if not logger.handlers:  # or logging would print it where nobody has configured it
        logger.addHandler(logging.NullHandler())
    logger.warning("PYSTUCK=%a: no server: %s", text, error)


def turn_on(text: str) -> _pystuck.Server | None:
    """Start the server that a value of PYSTUCK means. Logs what goes wrong."""
    from . import run_server

    try:
        server = run_server(**address(text))
    except Exception as error:
        with contextlib.suppress(Exception):  # a handler of the program's that raises
            _warn(text, error)
        return None
    if text == "1":
        with contextlib.suppress(Exception):
            _remove_stale(server)
    return server


def _remove_stale(server: _pystuck.Server) -> None:
    from . import _runtime

    _runtime.remove_stale(os.path.dirname(server.unix_socket))
