"""Starts a server in any program that imports pystuck if the variable PYSTUCK is set.

If PYSTUCK is 1, each process listens on a Unix socket of its own: see _socket_directory. Other
values are addresses: "port", "host:port", "[::1]:port" or "unix:/path/{pid}.sock". An empty value
and 0 start no server. Variables such as PYSTUCK_CERTFILE set options of run_server: the table in
_server_options names them. If one of these variables is wrong, no server starts.

If the path contains "{pid}", as that of PYSTUCK=1 does, forked children have servers as well.
"""

from __future__ import annotations

import os
import sys

import _pystuck

from . import _run, _server_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["address", "options", "turn_on", "value", "with_follow_fork"]

#: An unknown variable PYSTUCK_... counts as misspelt if its name begins with an item of _MEANT or
#: contains an item of _MEANT_WORDS. These items occur in the names of the variables that decide who
#: may connect. If such a variable were misspelt and ignored, the server could admit more clients
#: than the user wants.
_MEANT = ("PYSTUCK_CA", "PYSTUCK_CR")
_MEANT_WORDS = "ALLOW ALOW CERT CIPHER CRL GROUP MODE REVO SECUR SUBJ UNIX USER".split()


def _is_ignored() -> bool:
    """True if the variables must be ignored.

    The variables are ignored with python -E. They are also ignored if this process may have more
    rights than the user who started the process, that is, if secure_getenv() would ignore the
    variables, or if the real and effective ids of this process differ now.
    """
    return bool(
        sys.flags.ignore_environment
        or _pystuck.is_secure()
        or os.getuid() != os.geteuid()
        or os.getgid() != os.getegid()
    )


def value() -> str:
    """Return the value of PYSTUCK; "" if the variable is ignored or starts no server."""
    text = os.environ.get("PYSTUCK", "")
    return "" if _is_ignored() or text == "0" else text


def _is_meant(variable: str) -> bool:
    """True if an unknown variable looks like a misspelt variable of pystuck."""
    return variable.startswith("PYSTUCK_") and (
        variable.startswith(_MEANT) or any(word in variable for word in _MEANT_WORDS)
    )


def _parse(option: _server_options.Option, text: str) -> Any:
    """Return the value of an option, parsed from the text of the option's variable.

    Raises the same errors as Option.check().
    """
    if option.kind.metavar is None:  # a flag, which may be empty
        return option.kind.parse(option.variable, text)
    if not text:
        raise ValueError(f"{option.variable} is empty: set it to {option.kind.expected}")
    if option.kind.is_list:
        return option.kind.parse_list(option.variable, option.kind.split(option.variable, text))
    return option.kind.parse(option.variable, text)


def options() -> dict[str, Any]:
    """Return the arguments of run_server that variables set.

    Raises ValueError for a variable whose value is wrong or empty, or whose name is misspelt.
    """
    if _is_ignored():
        return {}
    values = {}
    for variable, text in os.environ.items():
        option = _server_options.VARIABLES.get(variable)
        if option is not None:
            values[option.name] = _parse(option, text)
        elif _is_meant(variable):
            raise ValueError(f"unknown variable {variable}: is its name misspelt?")
    return values


def address(text: str) -> dict[str, str | int]:
    """Return the arguments of run_server for the address that PYSTUCK gives.

    Raises ValueError for a value that is not an address, and OSError if there is no directory for
    the socket of PYSTUCK=1.
    """
    if text == "1":
        from . import _socket_directory

        return {"unix_socket": _socket_directory.path_of_sockets()}
    if text.startswith("unix:"):
        return {"unix_socket": text[len("unix:") :]}
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        raise ValueError("expected '1', or an address: PORT, HOST:PORT, [HOST]:PORT or unix:PATH")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("put the IPv6 address in brackets: [::1]:port")
    return {"host": host, "port": int(port)} if colon else {"port": int(port)}


def with_follow_fork(arguments: dict[str, Any]) -> dict[str, Any]:
    """Add follow_fork to these arguments of run_server if each child can have its own path."""
    return {"follow_fork": "{pid}" in (arguments.get("unix_socket") or ""), **arguments}


def turn_on(text: str) -> None:
    """Start a server at the address in PYSTUCK. On failure, logs the error."""
    from . import _by_environment, _servers, _start

    try:
        _start(with_follow_fork({**address(text), **options()}), (_servers, _by_environment))
    except Exception as error:
        _run.warn(None, f"PYSTUCK={text!a}: no server", error)
