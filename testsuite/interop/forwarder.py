# SPDX-License-Identifier: BSD-3-Clause
"""Passes on the data between a client and a server, and counts it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import zlib
from collections import Counter

from harness import Debuggee


class Forwarder:
    """Passes on the bytes of connections.

    `frames` counts the frames in each direction. `sent` has the payloads of the frames to the
    server.
    """

    def __init__(self, debuggee: Debuggee) -> None:
        self._to = (debuggee.host, debuggee.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self.frames: Counter[str] = Counter()
        self.sent: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # only the first connection creates the others
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        for number in itertools.count():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            for direction, source, sink in (("to", client, server), ("from", server, client)):
                arguments = (number, direction, source, sink)
                self._threads.append(threading.Thread(target=self._pass_on, args=arguments))
                self._threads[-1].start()

    def note(self, connection: int, direction: str, payload: bytes) -> None:
        """Gets each payload, decompressed, before it is passed on."""
        self.frames[direction] += 1
        if direction == "to":
            self.sent.append(payload)

    def _pass_on(
        self, number: int, direction: str, source: socket.socket, sink: socket.socket
    ) -> None:
        with source.makefile("rb") as frames, contextlib.suppress(OSError):
            while len(header := frames.read(5)) == 5:
                (length,) = struct.unpack(">L", header[:4])
                body = frames.read(length + 1)
                payload = body[:-1]
                self.note(number, direction, zlib.decompress(payload) if header[4] else payload)
                sink.sendall(header + body)
        # a stock server waits for 30 seconds if only one direction is closed
        for sock in source, sink:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
