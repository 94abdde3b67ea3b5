"""What run_server is asked for, as the native server takes it; and servers of forked children."""

from __future__ import annotations

import contextlib
import os

import _pystuck

from . import _admission, _limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Arguments of rpyc.utils.server.Server that are passed on as they are.
_PASSED = ("backlog", "reuse_addr", "ipv6")

#: ... and those that may be given so long as they ask for nothing.
_UNSUPPORTED = ("auto_register", "registrar")

#: How many ports a child by fork tries.
_PORTS_TRIED = 1000


def native_options(
    service_class_getter: Callable[[], Any] | None, server_args: dict[str, Any], unix_socket: Any
) -> dict[str, Any]:
    """The options of _pystuck.run_server for these arguments of run_server.

    Raises TypeError, which names the argument, for one that is not known or not supported, and
    ValueError for some that do not fit.
    """
    given = dict(server_args)
    tls = _admission.native_tls(given)
    users = _admission.native_users(given, unix_socket)
    options = {name: given.pop(name) for name in _PASSED if name in given} | users
    options["limits"] = _limits.native_limits(given)
    given.pop("listener_timeout", None)
    config = given.pop("protocol_config", None) or {}
    logger = given.pop("logger", None)
    authenticator = given.pop("authenticator", None)
    for name in _UNSUPPORTED:
        if given.pop(name, None):
            raise TypeError(f"run_server() does not support the argument {name!r}")
    if given:
        raise TypeError(f"run_server() got an unexpected keyword argument {next(iter(given))!r}")
    if logger is not None:
        options["log"] = lambda level, text: logger.log(level, "%s", text)
    authenticate = None
    if tls is not None:
        if authenticator:
            raise ValueError("certfile goes without an authenticator: both say who comes in")
        options["tls"] = tls
    if authenticator:
        from . import _authenticators

        options["tls"] = _authenticators.native_tls(authenticator)
        authenticate = _authenticators.for_link(authenticator)
    _admission.check_both(options, unix_socket)
    if service_class_getter is not None or config or authenticate:
        options["connect"] = _connector(service_class_getter, config, authenticate)
    return options


def _connector(
    service_class_getter: Callable[[], Any] | None,
    config: dict[str, Any],
    authenticate: Callable[[_pystuck.Session], Any] | None,
) -> Callable[[_pystuck.Session], Any]:
    """A function that makes the connection of a client, with a service of its own."""
    from .connection import Connection

    service = service_class_getter() if service_class_getter is not None else None

    def connect(link: _pystuck.Session) -> Connection:
        credentials = authenticate(link) if authenticate else None
        root = service() if isinstance(service, type) else service
        return Connection(link, root, {**config, "credentials": credentials})

    return connect


def listen(host: str, port: int, unix_socket: Any, options: dict[str, Any]) -> _pystuck.Server:
    """Start a server, at this process's own place where the name of a socket has "{pid}" in it."""
    if unix_socket is not None:
        unix_socket = os.fsdecode(unix_socket).replace("{pid}", str(os.getpid()))
    return _pystuck.run_server(host, port, unix_socket, **options)


# ---- Children by fork ----------------------------------------------------------------------------

#: What of a process its children have servers for: the list of servers to enter them in, the
#: server, and how it was started.
_followed: list[tuple[list[_pystuck.Server], _pystuck.Server, tuple]] = []

#: Whether forks are heard of.
_registered = False


def check_followable(unix_socket: Any) -> None:
    """See that children will not all want the same socket. Raises ValueError."""
    if unix_socket is not None and "{pid}" not in os.fsdecode(unix_socket):
        raise ValueError("follow_fork needs '{pid}' in the name of the Unix socket")


def follow_forks(servers: list[_pystuck.Server], server: _pystuck.Server, how: tuple) -> None:
    """Have each child by fork serve as `server` does, started as `how` says."""
    global _registered
    if not _registered:
        os.register_at_fork(after_in_child=_serve_in_child)
        _registered = True
    _followed[:] = [entry for entry in _followed if not entry[1].closed]
    _followed.append((servers, server, how))


def _serve_in_child() -> None:
    """Start this child's own servers. What cannot be started is not: a fork is no place to fail."""
    followed = [entry for entry in _followed if not entry[1].closed]
    for servers, _, _ in _followed:
        servers.clear()
    _followed.clear()
    for servers, server, how in followed:
        with contextlib.suppress(Exception):
            mine = _listen_next_to(server, *how)
            servers.append(mine)
            _followed.append((servers, mine, how))


def _listen_next_to(
    server: _pystuck.Server, host: str, port: int, unix_socket: Any, options: dict[str, Any]
) -> _pystuck.Server:
    """A server at a place of this process's own: its "{pid}", or the next port after server's."""
    if unix_socket is not None or port == 0:
        return listen(host, port, unix_socket, options)
    for number in range(server.port + 1, min(server.port + _PORTS_TRIED, 65536)):
        with contextlib.suppress(OSError):
            return listen(host, number, None, options)
    raise OSError("no port is free")
