"""PYSTUCK in the environment: a server in any program that imports pystuck.

PYSTUCK=1 is a socket for each process, see _runtime; otherwise it is an address: "port",
"host:port", "[::1]:port" or "unix:/path/{pid}.sock". Empty and 0 turn nothing on. Who comes in is
what PYSTUCK_CERTFILE and so on say, see VARIABLES: there is no server where one of them is wrong.

Child processes inherit the variable, and most of those that import pystuck were not thought of when
it was set. So it never makes a program fail, nor print anything: what goes wrong is logged.
"""

from __future__ import annotations

import contextlib
import os
import sys

import _pystuck

from . import _admission

__all__ = ["address", "admission", "turn_on", "value"]

#: Arguments of run_server by the variables that mean them.
VARIABLES = {
    f"PYSTUCK_{name.upper()}": name
    for name in (*_admission.TLS_ARGUMENTS, *_admission.USER_ARGUMENTS)
}

#: How a variable begins, and what is in it, that somebody has misspelt: it would go unheeded, and
#: let more clients in.
_MEANT = ("PYSTUCK_CA", "PYSTUCK_CR")
_MEANT_WORDS = "ALLOW ALOW CERT CIPHER CRL GROUP MODE REVO SECUR SUBJ UNIX USER".split()


def _is_ignored() -> bool:
    """Whether Python was told to ignore the environment, or the user who has set it may have fewer
    rights than this process: as secure_getenv() decides, or the ids that it has now."""
    return bool(
        sys.flags.ignore_environment
        or _pystuck.is_secure()
        or os.getuid() != os.geteuid()
        or os.getgid() != os.getegid()
    )


def value() -> str:
    """What PYSTUCK is, or "" if it turns nothing on."""
    text = os.environ.get("PYSTUCK", "")
    return "" if _is_ignored() or text == "0" else text


def _is_meant(variable: str) -> bool:
    """Whether a variable that there is not can only have been meant to say who comes in."""
    return variable.startswith("PYSTUCK_") and (
        variable.startswith(_MEANT) or any(word in variable for word in _MEANT_WORDS)
    )


def admission() -> dict[str, str | list[str]]:
    """Who comes in, by the arguments of run_server, for _admission.from_texts. Raises ValueError
    for what cannot have been meant: a variable that is empty, or misspelt."""
    texts: dict[str, str | list[str]] = {}
    if _is_ignored():
        return texts
    for variable, text in os.environ.items():
        name = VARIABLES.get(variable)
        if name is None:
            if _is_meant(variable):
                raise ValueError(f"{variable} is no variable of pystuck's")
        elif name == "insecure":
            if text not in ("", "0", "1"):
                raise ValueError(f"{variable} is 1 or 0, not {text!r}")
            if text == "1":
                texts[name] = text
        elif not text:
            raise ValueError(f"{variable} is empty")
        else:
            is_list = name.startswith("allow_")
            texts[name] = _admission.split(name, text) if is_list else text
    return texts


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
        server = run_server(**address(text), **_admission.from_texts(admission()))
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
