"""Where the sockets of a user's programs are: $XDG_RUNTIME_DIR/pystuck/PID.sock, for PYSTUCK=1.

Where there is no such directory, /tmp/pystuck-UID stands in for it. Everyone may write to /tmp, so
somebody else may have put something there with that name, to see who connects, or to have us write
where we would not. Once a directory of ours is there, the sticky bit of /tmp keeps it there.
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

#: Names that are ours to remove. A pid has no more digits than that.
_NAME = re.compile(r"([1-9][0-9]{0,8})\.sock")

#: Seconds between bind() and listen() for which a socket looks like one that was left behind.
_STARTING = 2.0

#: How many sockets one start looks at: it is to be over soon, and the next one goes on from there.
_LOOKED_AT = 200


def _others_write(info: os.stat_result) -> bool:
    return bool(info.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _is_private(info: os.stat_result) -> bool:
    """Whether that is a directory of this user in which nobody else can do anything."""
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not _others_write(info)


def _runtime_dir() -> str | None:
    """XDG_RUNTIME_DIR if it is what it should be: su and sudo leave it that of another user."""
    path = os.environ.get("XDG_RUNTIME_DIR", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(path) and _is_private(os.stat(path)):
            return path
    return None


def _check_tmp() -> None:
    """Raises PermissionError where others could rename what is ours."""
    info = os.stat(TMP)
    if info.st_uid not in (0, os.geteuid()) or (
        _others_write(info) and not info.st_mode & stat.S_ISVTX
    ):
        raise PermissionError(f"{TMP} is not safe: other users may rename directories in it")


def directory() -> str:
    """The directory for the sockets of this user's programs, made if need be.

    Raises OSError where it cannot be made, and PermissionError where it is not this user's alone.
    """
    parent = _runtime_dir()
    if parent is None:
        _check_tmp()
        path = os.path.join(TMP, f"pystuck-{os.geteuid()}")
    else:
        path = os.path.join(parent, "pystuck")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # whatever the umask is
    if not _is_private(os.lstat(path)):
        raise PermissionError(
            f"{path} is not used: it has to be a directory of user {os.geteuid()}, and writable by "
            "nobody else"
        )
    return path


def socket_path() -> str:
    """The path for this process's socket."""
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
    """Whether somebody listens, perhaps in a container whose processes are not seen from here."""
    import _socket  # what nobody patches, and what is fast to import

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)  # or it would wait where the queue is full
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
    """Remove what processes left in the directory that have ended: they cannot at their end.

    Removes only sockets of this user with a dead process's name, on which nobody listens.
    """
    with os.scandir(path) as entries:
        for entry in itertools.islice(entries, _LOOKED_AT):
            with contextlib.suppress(OSError):
                if _is_stale(entry):
                    os.unlink(entry.path)
