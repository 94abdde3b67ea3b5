"""The directory for the sockets of PYSTUCK=1: $XDG_RUNTIME_DIR/pystuck. Each socket is PID.sock.

Without XDG_RUNTIME_DIR, the directory is /tmp/pystuck-UID. Every user can write to /tmp, so another
user may have made a file or directory with this name. The directory is used only if it is private.
The sticky bit of /tmp keeps other users from renaming a private directory.
"""

from __future__ import annotations

import contextlib
import os
import stat

__all__ = ["directory", "path_of_sockets"]

TMP = "/tmp"


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


def path_of_sockets() -> str:
    """Return the path of the sockets, in which "{pid}" stands for the process id."""
    return os.path.join(directory(), "{pid}.sock")
