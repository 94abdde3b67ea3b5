"""Starts a server in each child that the process forks: run_server(follow_fork=True)."""

from __future__ import annotations

import contextlib
import os

import _pystuck

from . import _run

# True for type checkers only. Importing typing takes time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["follow"]

#: How many TCP ports a forked child tries.
_PORTS_TRIED = 1000

#: The servers of this process that each forked child starts again for itself. Each entry has the
#: list to which the child adds its server, the server of this process, and the settings.
_followed: list[tuple[tuple[list[_pystuck.Server], ...], _pystuck.Server, dict[str, Any]]] = []

#: True if _serve_in_child is called after a fork.
_registered = False

#: _pystuck.fork_count() of the process whose servers are in _followed.
_forks = 0


def follow(
    lists: tuple[list[_pystuck.Server], ...], server: _pystuck.Server, settings: dict[str, Any]
) -> None:
    """Make each forked child start a server like `server`, which has these settings.

    lists: the lists to which the child adds its server.
    """
    global _registered, _forks
    if not _registered:
        # Python calls its hook at the end of os.fork(). If C code forks without the hooks, as uWSGI
        # does, _pystuck calls the function a little later.
        os.register_at_fork(after_in_child=_serve_in_child)
        _pystuck.call_in_children(_serve_in_child)
        _registered = True
    _forks = _pystuck.fork_count()
    _followed[:] = [entry for entry in _followed if not entry[1].closed]
    _followed.append((lists, server, settings))


def _serve_in_child() -> None:
    """Start the servers of this forked child, if they were not started yet.

    Ignores errors, so that os.fork() does not fail.
    """
    global _forks
    if _forks == _pystuck.fork_count():
        return
    _forks = _pystuck.fork_count()
    followed = [entry for entry in _followed if not entry[1].closed]
    for lists, _, _ in _followed:
        for servers in lists:
            servers.clear()
    _followed.clear()
    for lists, server, settings in followed:
        with contextlib.suppress(Exception):
            mine = _listen_next_to(server, settings)
            for servers in lists:
                servers.append(mine)
            _followed.append((lists, mine, settings))


def _listen_next_to(server: _pystuck.Server, settings: dict[str, Any]) -> _pystuck.Server:
    """Start this child's server.

    The child's server listens on the Unix socket with the child's "{pid}" in the path, or on the
    next free TCP port after the port of `server`. If port 0 was given, the kernel also chooses a
    port for the child.
    """
    if settings["unix_socket"] is not None or settings["port"] == 0:
        return _run.listen(settings)
    ports = range(server.port + 1, min(server.port + _PORTS_TRIED, 65536))
    for port in ports:
        with contextlib.suppress(OSError):
            return _run.listen({**settings, "port": port})
    raise OSError(f"no port from {ports.start} to {ports.stop - 1} is free for the forked child")
