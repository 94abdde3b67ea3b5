"""Starts native servers for checked options."""

from __future__ import annotations

import contextlib
import os

import _pystuck

from . import _admission, _server_options, _stale_sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Equal to logging.WARNING.
_WARNING = 30

#: Values of the setting client_certificate, equal to ssl.CERT_NONE and ssl.CERT_REQUIRED.
_CERTIFICATE_NONE, _CERTIFICATE_REQUIRED = 0, 2


def native_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return a dict of the settings for _pystuck.run_server(). values: run_server's options.

    The settings are the options that the native server reads, and four other settings:
    `client_certificate`, `only_tls_1_2`, `connect` (a function that makes a client's connection)
    and `log` (a function that logs a line).

    Raises TypeError, ValueError or OSError, which names the option.
    """
    _admission.check(values)
    settings = _server_options.native(values)
    settings["unix_mode"] = _admission.unix_mode(values)
    has_ca = values["ca_certs"] is not None
    settings["client_certificate"] = _CERTIFICATE_REQUIRED if has_ca else _CERTIFICATE_NONE
    settings["only_tls_1_2"] = False
    authenticate = None
    if values["authenticator"]:
        from . import _authenticators

        settings.update(_authenticators.native_settings(values["authenticator"]))
        authenticate = _authenticators.for_session(values["authenticator"])
    _server_options.check_files(settings)
    certified = settings["client_certificate"] == _CERTIFICATE_REQUIRED
    _admission.check_certificates(values, certified=certified)
    settings["log"] = _log_function(values["logger"])
    settings["connect"] = _connect_function(
        values["service_class_getter"], values["protocol_config"] or {}, authenticate
    )
    return settings


def _log_function(logger: Any) -> Callable[[int, str], None] | None:
    if logger is None:
        return None
    return lambda level, text: logger.log(level, "%s", text)


def _connect_function(
    service_class_getter: Callable[[], Any] | None,
    config: dict[str, Any],
    authenticate: Callable[[_pystuck.Session], Any] | None,
) -> Callable[[_pystuck.Session], Any] | None:
    """Return a function that makes the connection of a session.

    If service_class_getter returns a class, each connection has its own service. Returns None if
    the native server makes the connections, with the classic service.
    """
    if service_class_getter is None and not config and not authenticate:
        return None
    from .connection import Connection

    service = service_class_getter() if service_class_getter is not None else None

    def connect(session: _pystuck.Session) -> Connection:
        credentials = authenticate(session) if authenticate else None
        root = service() if isinstance(service, type) else service
        return Connection(session, root, {**config, "credentials": credentials})

    return connect


def own_path(unix_socket: str | bytes | os.PathLike) -> str:
    """Return the path of a Unix socket, with the id of this process in place of "{pid}"."""
    return os.fsdecode(unix_socket).replace("{pid}", str(os.getpid()))


def listen(settings: dict[str, Any]) -> _pystuck.Server:
    """Start a server. "{pid}" in the path of its Unix socket is replaced by the id of this process.

    Imports nothing: in a forked child, a thread of the parent may have been importing the module.
    Removes the socket files that ended processes have left at the same path. Raises the same errors
    as run_server.
    """
    path = settings["unix_socket"]
    if path is None:
        return _pystuck.run_server(settings)
    server = _pystuck.run_server({**settings, "unix_socket": own_path(path)})
    if "{pid}" in os.fsdecode(path):
        with contextlib.suppress(Exception):  # such as OSError: the directory cannot be read
            _stale_sockets.remove(os.fsdecode(path))
    return server


def warn(logger: Any, text: str, error: Exception) -> None:
    """Log that a server could not be started. text: the beginning of the message.

    logger: None means logging.getLogger("pystuck"). This logger prints nothing if the program does
    not configure logging.
    """
    with contextlib.suppress(Exception):  # the program's log handler may raise
        if logger is None:
            import logging

            logger = logging.getLogger("pystuck")
            if not logger.handlers:  # otherwise logging, if not configured, prints to stderr
                logger.addHandler(logging.NullHandler())
        logger.log(_WARNING, "%s: %s", text, error)
