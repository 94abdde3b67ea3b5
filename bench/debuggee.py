# SPDX-License-Identifier: BSD-3-Clause
"""The program that the benchmarks look at.

    debuggee.py KIND [TARGET]

KIND: "ours", a server of pystuck; "tls", one that speaks TLS; "stock", the classic server of stock
rpyc; "original", the server of the original pystuck; "none", no server. TARGET: the path of a Unix
socket, for "ours"; the directory of the certificates, for "tls". Prints the port or the path. Then
runs each line of standard input as Python code and prints one line: the repr of `answer`. Ends with
the input.
"""

from __future__ import annotations

import sys
import threading
import time

number = 42
items = list(range(2000))
values = tuple((i, f"name {i}", i * 0.5, None, True, b"bytes") for i in range(500))
random_bytes = b""
text = ""
answer = None


class Held:
    """An object that a client holds."""


def function(value: int) -> int:
    """Called by clients."""
    return value + 1


def take(got: tuple[object, ...]) -> int:
    """Called by clients with `values`."""
    return len(got)


class LongestGap(threading.Thread):
    """Measures the longest time in which this thread could not run Python code."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.longest, self.rounds, self.ends = 0.0, 0, False
        self.start()

    def run(self) -> None:
        clock = time.perf_counter
        last = clock()
        while not self.ends:
            now = clock()
            if now - last > self.longest:
                self.longest = now - last
            last = now
            self.rounds += 1

    def end(self) -> float:
        """Ends the thread and returns the longest time, in seconds."""
        self.ends = True
        self.join()
        return self.longest


def deep(levels: int, event: threading.Event) -> None:
    """Waits with a stack of so many frames."""
    if levels > 1:
        deep(levels - 1, event)
    else:
        event.wait()


def start_threads(count: int, levels: int) -> None:
    """Starts threads that wait, with stacks of so many frames."""
    threading.stack_size(256 * 1024)
    for _ in range(count):
        threading.Thread(target=deep, args=(levels, threading.Event()), daemon=True).start()


def start_ours(target: str | None) -> object:
    """Starts pystuck's server. Returns its port or path."""
    import pystuck

    if target is None:
        return pystuck.run_server(port=0).port
    pystuck.run_server(unix_socket=target)
    return target


def start_tls(directory: str) -> object:
    """Starts pystuck's server with files of pystuck-keys. Returns its port."""
    import pystuck

    return pystuck.run_server(
        port=0,
        certfile=f"{directory}/server.pem",
        keyfile=f"{directory}/server.key",
        ca_certs=f"{directory}/ca.pem",
    ).port


def start_stock() -> object:
    """Starts the server of stock rpyc. Returns its port."""
    import logging

    from rpyc.core.service import SlaveService
    from rpyc.utils.server import ThreadedServer

    logging.getLogger().addHandler(logging.NullHandler())
    server = ThreadedServer(SlaveService, hostname="127.0.0.1", port=0, auto_register=False)
    threading.Thread(target=server.start, daemon=True).start()
    while not server.active:
        time.sleep(0.001)
    return server.port


def start_original() -> object:
    """Starts the server of the original pystuck, which lets no kernel choose its port."""
    import socket

    import pystuck

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pystuck.run_server(port=port)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return port
        time.sleep(0.01)


def main() -> None:
    kind, *more = sys.argv[1:]
    target = more[0] if more else None
    if kind == "ours":
        print(start_ours(target), flush=True)
    elif kind == "tls":
        print(start_tls(more[0]), flush=True)
    else:
        print({"stock": start_stock, "original": start_original, "none": int}[kind](), flush=True)
    for line in sys.stdin:
        exec(line, globals())
        print(repr(answer), flush=True)


main()
