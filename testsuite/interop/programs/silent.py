# SPDX-License-Identifier: BSD-3-Clause
"""Looks like a program with pystuck's server, but never answers: `silent.py CODE`.

A thread has the name of a listening thread and accepts connections. Prints the port and the native
id of that thread, and then executes CODE on the main thread.
"""

import ctypes
import os
import socket
import sys
import threading

PR_SET_NAME = 15
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """Writes a number as pystuck does in the name of its thread."""
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def listen() -> None:
    """Accepts connections, and keeps them; none any more after an error."""
    name = "pystuck:" + base36(os.fstat(listener.fileno()).st_ino)
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())
    ready.set()
    kept = []
    try:
        while True:
            kept.append(listener.accept())
    except OSError:
        threading.Event().wait()


listener = socket.create_server(("127.0.0.1", 0))
ready = threading.Event()
thread = threading.Thread(target=listen, daemon=True)
thread.start()
ready.wait()
print(listener.getsockname()[1], thread.native_id, flush=True)
exec(sys.argv[1])
