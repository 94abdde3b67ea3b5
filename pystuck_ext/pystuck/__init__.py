"""pystuck: find out where a Python program is stuck.

In the program, at startup::

    import pystuck; pystuck.run_server()

and on the shell, when it hangs::

    pystuck
"""

from __future__ import annotations

# Whatever the answer to a client needs is imported now: later the import lock may be what is stuck.
import importlib.util  # noqa: F401  stock clients ask for it as they connect
import os

import _pystuck

from . import thread_probe  # noqa: F401

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "run_server"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6666


def run_server(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    unix_socket: str | bytes | os.PathLike | None = None,
) -> _pystuck.Server:
    """Let `pystuck`, and any stock rpyc classic client, look into this process.

    Starts native threads that do nothing while nobody is connected, and returns once clients can
    connect. Only processes of this machine that belong to this process's user, or to root, are let
    in.

    host: a loopback address or name. port: a TCP port; 0 lets the kernel choose one.
    unix_socket: the path of a Unix socket, or "@name" for an abstract one, in place of both.

    Returns a handle with `host`, `port`, `unix_socket`, `clients` and `close()`; it may be dropped.

    Raises ValueError for an address that others than this machine can reach, OSError with the errno
    of bind() where it cannot listen, OverflowError for a port beyond 65535.
    """
    return _pystuck.run_server(host, port, unix_socket)
