"""The directory for the sockets of PYSTUCK=1: $XDG_RUNTIME_DIR/pystuck. Each socket is PID.sock.

Without XDG_RUNTIME_DIR, the directory is /tmp/pystuck-UID. Every user can write to /tmp, so another
user may have made a file or directory with this name. The directory is used only if it is private.
The sticky bit of /tmp keeps other users from renaming a private directory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
import time

__all__ = ["directory", "remove_stale", "socket_path"]

TMP = "/tmp"

#: Matches the names of sockets that may be removed. A pid has at most nine digits.
_NAME = re.compile(r"([1-9][0-9]{0,8})\.sock")

#: Sockets that are younger than this number of seconds are kept. Between bind() and listen() of its
#: server, a new socket looks like a stale socket.
_STARTING = 2.0

#: The maximum number of entries that remove_stale() checks, so that the call does not take long.
_LOOKED_AT = 200


def _others_write(info: os.stat_result) -> bool:
    return bool(info.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _is_private(info: os.stat_result) -> bool:
    """True for a directory of this user that no other user can write to."""
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not _others_write(info)


def _runtime_dir() -> str | None:
    """Return XDG_RUNTIME_DIR; None if it is not set or is not private.

    The variable may name the directory of another user, because su and sudo may keep the variable.
    """
    path = os.environ.get("XDG_RUNTIME_DIR", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(path) and _is_private(os.stat(path)):
            return path
    return None


def _check_tmp() -> None:
    """Raise PermissionError if other users could rename this user's directories in /tmp."""
    info = os.stat(TMP)
    if info.st_uid not in (0, os.geteuid()) or (
        _others_write(info) and not info.st_mode & stat.S_ISVTX
    ):
        raise PermissionError(f"{TMP} is not safe: other users may rename directories in it")


def directory() -> str:
    """Return the directory for the sockets of this user's programs; create it if it is missing.

    Raises OSError if the directory cannot be created, and PermissionError if other users can write
    to it.
    """
    parent = _runtime_dir()
    if parent is None:
        _check_tmp()
        path = os.path.join(TMP, f"pystuck-{os.geteuid()}")
    else:
        path = os.path.join(parent, "pystuck")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # the umask may have removed bits
    if not _is_private(os.lstat(path)):
        raise PermissionError(
            f"cannot use {path}: it must be a directory of user {os.geteuid()} that no other user "
            "can write to"
        )
    return path


def socket_path() -> str:
    """Return the path of this process's socket."""
    return os.path.join(directory(), f"{os.getpid()}.sock")


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
    import _socket  # fast to import, and gevent does not patch it

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


def _is_stale(entry: os.DirEntry) -> bool:
    name = _NAME.fullmatch(entry.name)
    if not name or _is_alive(int(name[1])):
        return False
    info = entry.stat(follow_symlinks=False)
    return (
        stat.S_ISSOCK(info.st_mode)
        and info.st_uid == os.geteuid()
        and time.time() - info.st_mtime > _STARTING
        and not _is_listened_on(entry.path)
    )


def remove_stale(path: str) -> None:
    """Remove the sockets that ended processes have left in the directory.

    Removes only sockets of this user that are named after an ended process and have no listener.
    """
    with os.scandir(path) as entries:
        for entry in itertools.islice(entries, _LOOKED_AT):
            with contextlib.suppress(OSError):
                if _is_stale(entry):
                    os.unlink(entry.path)
