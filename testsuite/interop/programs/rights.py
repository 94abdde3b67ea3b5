# SPDX-License-Identifier: BSD-3-Clause
"""Changes the uids, gids and capabilities of a process. For other programs here, and for tests."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

NET_BIND_SERVICE, NET_ADMIN, WAKE_ALARM = 1 << 10, 1 << 12, 1 << 35

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 4, 8
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_capabilities(capabilities: int) -> None:
    """Gives only the calling thread these permitted and effective capabilities."""
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    head = struct.pack("Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(head, struct.pack("6I", low, low, 0, high, high, 0)))


def become(
    uids: Sequence[int], gids: Sequence[int], groups: Sequence[int] = (), capabilities: int = 0
) -> None:
    """Sets the real, effective and saved ids of the process, and the capabilities of the calling
    thread."""
    _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups(groups)
    os.setresgid(*gids)
    os.setresuid(*uids)
    set_capabilities(capabilities)


def be_as_after_exec() -> None:
    """Lets other processes of its user read this process, as after an exec.

    The kernel forbids this when a process changes its user, until it executes another program.
    """
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))


def leave_user_namespace() -> None:
    """Moves the process, which must have one thread, to a new user namespace, in which it has all
    capabilities."""
    clone_newuser = 0x10000000
    _check(_libc.unshare(clone_newuser))
