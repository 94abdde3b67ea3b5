"""pystuck: find out where a Python program is stuck.

In the program, at startup::

    import pystuck; pystuck.run_server()

and on the shell, when it hangs::

    pystuck

With PYSTUCK=1 in the environment, or an address, the import alone starts a server.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util  # noqa: F401  stock clients ask for it as they connect
import os

import _pystuck

from . import (
    _serving,
    thread_probe,  # noqa: F401
)

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "main", "run_client", "run_server", "stop_server"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6666

#: What run_server has started, oldest first: a server goes on when its handle is dropped.
_servers: list[_pystuck.Server] = []

#: The one of them that PYSTUCK in the environment asked for.
_by_environment: _pystuck.Server | None = None


def run_server(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    unix_socket: str | bytes | os.PathLike | None = None,
    patch_greenlet: bool = True,
    service_class_getter: Callable[[], Any] | None = None,
    *,
    follow_fork: bool = False,
    **server_args: Any,
) -> _pystuck.Server:
    """Let `pystuck`, and any stock rpyc classic client, look into this process.

    Starts native threads that do nothing while nobody is connected, and returns once clients can
    connect. Only processes of this machine that belong to this process's user, or to root, are let
    in, unless more is asked for; and that user only if it could do all that this process can, by
    the kernel's rule for ptrace (see doc/security.md).

    host: a loopback address or name. port: a TCP port; 0 lets the kernel choose one.
    unix_socket: the path of a Unix socket, or "@name" for an abstract one, in place of both; with
    the number of this process for "{pid}" in it.
    patch_greenlet: for programs written for the original pystuck. Nothing is patched.
    service_class_getter: returns the rpyc.Service, or a class of such, that clients get in place
    of the classic service.
    follow_fork: have each child that this process forks serve as well: at its own "{pid}", or at
    the next TCP port that is free. A child has no server otherwise, and may start one.
    server_args: those of rpyc.utils.server.Server: backlog, reuse_addr, ipv6 ("::" is IPv6 alone),
    protocol_config, and logger, which hears of clients, of those that are refused, and of errors;
    and authenticator, which gets each client's socket and returns it, with credentials, or raises.
    With rpyc's SSLAuthenticator clients are talked to over TLS, and if it has their CA's
    certificate, then those with a certificate are let in, whoever's they are, and nobody else.
    auto_register and registrar may be given as None or False, and listener_timeout as anything, for
    nothing here waits so.

    Who comes in: allow_users: a list of names or ids of users who are let in beside root and this
    process's own, whatever this process may do. unix_mode: the mode of the Unix socket's file
    (0600; 0666 with allow_users, whom the kernel names); unix_group: its group, a name or an id,
    whose members are let in, with mode 0660. insecure: True lets anyone in over TCP, on any
    address: for a network of your own.
    certfile, keyfile: TLS alone is spoken, with this certificate and key (PEM). ca_certs: clients
    need a certificate of this CA, whoever's they are, and the server may listen on any address.
    crl: the certificates that the CA has revoked (PEM), a list for each CA of a chain. Files that
    have changed are read again when a client comes. allow_subjects: a list of names: these
    certificates alone are good, by common name ("alice") or whole subject ("CN=alice,O=Example").
    ciphers: for TLS 1.2, as OpenSSL has them.

    Limits: max_clients at a time (128); max_frame: bytes of a message (256 MiB); max_decompressed:
    the same once it is decompressed (as max_frame); max_depth: tuples in tuples in a message (200,
    which is the most there can be); max_items: values in a message, tuples among them (16,777,216);
    max_objects that one client holds (1,000,000), beyond which its requests fail;
    handshake_timeout: seconds for TLS and a client's first request together (10); send_timeout:
    seconds in which a client has to read something of what it is being sent, and to send something
    more of a message that it has begun (120). A time of None is for ever. A client that exceeds
    a time, or max_clients, is hung up on, and the logger hears why; one that exceeds another limit
    gets an exception that names it, and keeps its connection. Messages of over 1 MB are taken one
    at a time; the next one waits for at most handshake_timeout (a client's first) or send_timeout.

    Returns a handle with `host`, `port`, `unix_socket`, `clients` and `close()`; it may be dropped.

    Raises ValueError for an address that others than this machine can reach, unless clients have to
    show a certificate or insecure says so, for a user or group that is not known, for files of TLS
    that cannot be used, and for arguments that do not go together; OSError for a file that cannot
    be read, or with the errno of bind() where it cannot listen; OverflowError for a port beyond
    65535; TypeError for an argument that is not known or asks for what is not done.
    """
    # A program may have become another user, who cannot read where its Python is.
    with contextlib.suppress(ImportError):
        from . import _preload  # noqa: F401  the imports that answers need

    options = _serving.native_options(service_class_getter, server_args, unix_socket)
    if follow_fork:
        _serving.check_followable(unix_socket)
    try:
        server = _serving.listen(host, port, unix_socket, options)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _give_way(port, unix_socket):
            raise
        server = _serving.listen(host, port, unix_socket, options)
    try:
        _servers[:] = [each for each in _servers if not each.closed]
        _servers.append(server)
        if follow_fork:
            _serving.follow_forks(_servers, server, (host, port, unix_socket, options))
    except BaseException:  # there is no memory, say, and nobody would ever close it
        server.close()
        raise
    return server


def _give_way(port: int, unix_socket: str | bytes | os.PathLike | None) -> bool:
    """Close the server that the environment asked for if the program wants its address.

    The variable must not make a program fail that does without it.
    """
    server = _by_environment
    if server is None:
        return False
    if unix_socket is None:
        is_same = server.port == port
    else:
        path = os.path.abspath(os.fsdecode(unix_socket))
        is_same = server.unix_socket is not None and os.path.abspath(server.unix_socket) == path
    if is_same:
        _forget(server)
    return is_same


def _forget(server: _pystuck.Server) -> None:
    with contextlib.suppress(ValueError):
        _servers.remove(server)
    server.close()


def stop_server() -> None:
    """Close all servers that run_server started in this process, the newest first.

    That of PYSTUCK in the environment is one of them. Does nothing where there are none. A child by
    fork has none of its parent's.
    """
    with contextlib.suppress(IndexError):  # and not "while _servers": two threads may do this
        while True:
            _servers.pop().close()


def run_client(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    stacks: bool = False,
    ipython: bool = True,
    greenlets: bool = True,
) -> int:
    """Run the native client, `pystuck`, on this terminal, and return its exit status.

    stacks: print the stacks of the program that listens on host and port. ipython: open a prompt.
    greenlets: accepted and not used; the native client shows greenlets where there are any.

    Raises FileNotFoundError where the client is neither beside this package nor on the PATH, and
    KeyboardInterrupt where Ctrl-C ended it.
    """
    from . import _client

    options = [] if stacks else ["--no-stacks"]
    if not ipython:
        options.append("--no-ipython")
    return _client.run([*options, "--host", host, "--port", str(port)])


def main() -> NoReturn:
    """Become the native client, `pystuck`, with the arguments that this process has."""
    from . import _client

    _client.become()


if "PYSTUCK" in os.environ:
    from . import _environment

    if _environment.value():
        _by_environment = _environment.turn_on(_environment.value())
