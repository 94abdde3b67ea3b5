"""pystuck: find out where a Python program is stuck.

In the program, at startup::

    import pystuck; pystuck.run_server()

and on the shell, when it hangs::

    pystuck

If the environment variable PYSTUCK is 1 or an address, the import alone starts a server.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util  # noqa: F401  stock clients read it when they connect
import os

try:
    import _pystuck
except ImportError as error:
    if not os.path.isdir(os.path.dirname(os.path.abspath(__file__))):
        raise ImportError(
            "pystuck is in a zip file, from which Python cannot load its native module _pystuck: "
            "install pystuck with pip"
        ) from error
    raise
from _pystuck import __version__, why

from . import (
    _follow_fork,
    _run,
    _server_options,
    thread_probe,  # noqa: F401
)

TYPE_CHECKING = False  # like typing.TYPE_CHECKING, whose import takes longer than this package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "__version__",
    "main",
    "run_client",
    "run_server",
    "stop_server",
    "why",
]

DEFAULT_HOST: str = _server_options.default("host")
DEFAULT_PORT: int = _server_options.default("port")

#: The servers that run_server has started, oldest first. Some of them may be closed.
_servers: list[_pystuck.Server] = []

#: The server in _servers that the variable PYSTUCK has started: one item, or none.
_by_environment: list[_pystuck.Server] = []


def run_server(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    unix_socket: str | bytes | os.PathLike | None = None,
    patch_greenlet: bool = True,
    service_class_getter: Callable[[], Any] | None = None,
    *,
    follow_fork: bool = False,
    **server_args: Any,
) -> _pystuck.Server | None:
    """Serve clients of this process: `pystuck`, and every client of stock rpyc's classic server.

    Starts native threads, which do nothing while no client is connected, and returns once clients
    can connect. Only root and the program's own user, on this machine, may connect, unless options
    admit others. The program's own user may connect only with at least the rights of the program,
    as the kernel's rule for ptrace demands (see doc/security.md).

    Options (host to service_class_getter may also be given by position):

    {options}

    If a client exceeds max_clients or a time limit, the server closes the client's connection and
    logs the reason with `logger`. If a client exceeds another limit, the client gets an exception
    that names the limit, and stays connected. Messages of more than 1 MB are received one at a
    time. Such a message waits for other long messages at most handshake_timeout if it is the
    client's first message, and at most send_timeout otherwise. TLS files that have changed are read
    again when a client connects.

    Returns a Server with `host`, `port`, `unix_socket`, `clients`, `closed` and `close()`. The
    server keeps running if the program drops this object. Returns None if the server could not be
    started and on_error is "warn".

    Raises TypeError for an argument that does not exist or has the wrong type; OverflowError for a
    port beyond 65535; ValueError for other values that are not allowed, for options that cannot be
    combined, for TLS files that cannot be used, and for an address that other machines can reach,
    unless ca_certs or insecure is given; OSError for a file that cannot be read, and, with the
    errno of bind(), if the server cannot listen.
    """
    arguments = {**locals()}
    arguments.update(arguments.pop("server_args"))
    return _start(arguments, (_servers,))


def _start(
    arguments: dict[str, Any], lists: tuple[list[_pystuck.Server], ...]
) -> _pystuck.Server | None:
    """Start a server and add it to each of the lists. arguments: those of run_server."""
    # Import these modules now, because later the program may run as a user who cannot read Python's
    # library.
    with contextlib.suppress(ImportError):
        from . import _preload  # noqa: F401  the imports that answers need

    values = _server_options.check(arguments)
    try:
        return _listen(values, lists)
    except Exception as error:
        if values["on_error"] != "warn":
            raise
        _run.warn(values["logger"], "no pystuck server", error)
    return None


def _listen(values: dict[str, Any], lists: tuple[list[_pystuck.Server], ...]) -> _pystuck.Server:
    """Start a server and add it to each of the lists. Raises the errors of run_server.

    values: the values of all options, which have been checked.
    """
    settings = _run.native_settings(values)
    try:
        server = _run.listen(settings)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _give_way(values["port"], values["unix_socket"]):
            raise
        server = _run.listen(settings)
    try:
        for servers in lists:
            servers[:] = [each for each in servers if not each.closed]
            servers.append(server)
        if values["follow_fork"]:
            _follow_fork.follow(lists, server, settings)
    except BaseException:  # such as MemoryError: the caller gets no server to close
        server.close()
        raise
    return server


def _complete_docstring() -> None:
    """Put the options of the table into run_server's docstring, in place of "{options}"."""
    text = run_server.__doc__
    if text:  # with python -OO, there is no docstring
        # The indentation of the docstring; Python 3.13 and later remove the indentation.
        margin = text.partition("{options}")[0].rpartition("\n")[2]
        options = _server_options.documentation(margin)
        run_server.__doc__ = text.replace(f"{margin}{{options}}", options)


_complete_docstring()


def _give_way(port: int, unix_socket: str | bytes | os.PathLike | None) -> bool:
    """Close the server that PYSTUCK has started, if a new server needs the same address.

    Returns True if the server was closed. Without this function, run_server would fail in a program
    that starts a server itself while PYSTUCK is set.
    """
    if not _by_environment:
        return False
    server = _by_environment[0]
    if unix_socket is None:
        is_same = server.port == port
    else:
        path = os.path.abspath(_run.own_path(unix_socket))
        is_same = server.unix_socket is not None and os.path.abspath(server.unix_socket) == path
    if is_same:
        _forget(server)
    return is_same


def _forget(server: _pystuck.Server) -> None:
    for servers in (_servers, _by_environment):
        with contextlib.suppress(ValueError):
            servers.remove(server)
    server.close()


def stop_server() -> None:
    """Close all servers of this process, the newest first.

    This includes the server that PYSTUCK in the environment has started. A forked child does not
    close the servers of its parent. Does nothing if there are no servers.
    """
    with contextlib.suppress(IndexError):  # not "while _servers": another thread may empty the list
        while True:
            _servers.pop().close()


def run_client(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    stacks: bool = False,
    ipython: bool = True,
    greenlets: bool = True,
) -> int:
    """Run the native client, `pystuck`, on this terminal and return its exit status.

    host, port: the address of the program's server. stacks: print the stacks of all threads.
    ipython: open a prompt. greenlets: has no effect; the client always shows greenlets.

    Raises FileNotFoundError if the client is neither installed beside this package nor in the PATH,
    and KeyboardInterrupt if Ctrl-C has ended the client.
    """
    from . import _client

    options = [] if stacks else ["--no-stacks"]
    if not ipython:
        options.append("--no-ipython")
    return _client.run([*options, "--host", host, "--port", str(port)])


def main() -> NoReturn:
    """Replace this process by the native client, `pystuck`, with the same arguments."""
    from . import _client

    _client.become()


if "PYSTUCK" in os.environ:
    from . import _environment

    if _environment.value():
        _environment.turn_on(_environment.value())
