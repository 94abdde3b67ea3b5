"""Removes the socket files that ended processes have left at a path that contains "{pid}".

A process that is killed, or that ends with os._exit, cannot remove the file of its socket.
"""

from __future__ import annotations

import _socket  # fast to import, and gevent does not patch it
import contextlib
import itertools
import os
import re
import stat
import time

__all__ = ["remove"]

#: Sockets that are younger than this number of seconds are kept. Between bind() and listen() of its
#: server, a new socket looks like a stale socket.
_STARTING = 2.0

#: The maximum number of entries of a directory that remove() checks, so that it does not take long.
_LOOKED_AT = 200


def _pattern(name: str) -> re.Pattern[str]:
    """Return a pattern for the names of sockets. Its first group is the pid.

    name: the name of a socket, with "{pid}" in it. A pid has at most nine digits.
    """
    first, *rest = (re.escape(part) for part in name.split("{pid}"))
    return re.compile(first + "([1-9][0-9]{0,8})" + r"(?:\1)".join(rest))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_listened_on(path: str) -> bool:
    """True if a process listens on the socket, even if the process is in another container."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)  # otherwise connect() waits while the queue is full
        sock.connect(path)
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    finally:
        sock.close()
    return True


def _is_stale(entry: os.DirEntry, pattern: re.Pattern[str]) -> bool:
    name = pattern.fullmatch(entry.name)
    if not name or _is_alive(int(name[1])):
        return False
    info = entry.stat(follow_symlinks=False)
    return (
        stat.S_ISSOCK(info.st_mode)
        and info.st_uid == os.geteuid()
        and time.time() - info.st_mtime > _STARTING
        and not _is_listened_on(entry.path)
    )


def remove(path: str) -> None:
    """Remove the sockets that ended processes have left. path: their path, with "{pid}" in it.

    Removes only sockets of this user that are named after an ended process and have no listener.
    Does nothing if the directory depends on the pid, and for abstract sockets, which have no file.
    """
    directory, name = os.path.split(path)
    if path.startswith("@") or "{pid}" in directory:
        return
    pattern = _pattern(name)
    with os.scandir(directory or ".") as entries:
        for entry in itertools.islice(entries, _LOOKED_AT):
            with contextlib.suppress(OSError):
                if _is_stale(entry, pattern):
                    os.unlink(entry.path)
