# SPDX-License-Identifier: BSD-3-Clause
"""Makes calls of the C library fail in a debuggee (with faults.c), and has clients that accept the
results."""

from __future__ import annotations

import contextlib
import enum
import errno
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures
import pytest
from harness import Debuggee
from rawpeer import (
    EXCEPTION,
    REMOTE_REF,
    REPLY,
    TUPLE,
    Handler,
    Message,
    RawPeer,
    Ref,
    box,
    payload,
    unbox,
)
from rpyc.core import brine

needs_faults = pytest.mark.skipif(
    not os.environ.get("FAULTS_LIBRARY"),
    reason="the sanitizers have functions of their own where calls are to fail",
)

#: True if there is time for all tests.
SLOW = os.environ.get("PYSTUCK_SLOW", "") not in ("", "0")

#: The 64-bit fields of the file, as in faults.c.
FIELDS = (
    *("kinds", "whose", "from", "to", "first", "count", "every", "error"),
    *("calls", "failed", "blocks", "own_blocks", "clock", "clock_use"),
)

#: The variable in the program that the thread of BEAT counts up.
BEATS = 2048

SIZE = 4096


class Kind(enum.IntFlag):
    """The kinds of calls that may fail."""

    MEMORY = 1
    THREAD = 2
    SOCKET = 4
    ACCEPT = 8
    WAIT = 16
    TAKEN = 32


class Whose(enum.IntEnum):
    """The callers whose calls fail."""

    ANY = 0
    THREADS = 1  # calls on the server's native threads, by any code
    CODE = 2  # calls of the extension's code, on any thread
    MARKED = 3  # calls on a thread that called faults_mark


#: A thread that counts. The tests start it in the program.
BEAT = """
import mmap, os, struct, threading, time
def beat():
    fd = os.open(os.environ["PYSTUCK_FAULTS"], os.O_RDWR)
    with mmap.mmap(fd, 4096) as shared:
        os.close(fd)
        while True:
            struct.pack_into("q", shared, 2048, struct.unpack_from("q", shared, 2048)[0] + 1)
            time.sleep(0.001)
threading.Thread(target=beat, daemon=True).start()
"""


class Faults:
    """Controls which calls fail in a program that was started with `env`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "faults"
        self.path.write_bytes(bytes(SIZE))
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)

    @property
    def env(self) -> dict[str, str]:
        """Returns the environment for the program."""
        return {"LD_PRELOAD": os.environ["FAULTS_LIBRARY"], "PYSTUCK_FAULTS": str(self.path)}

    def __getitem__(self, field: str) -> int:
        return struct.unpack_from("q", self._map, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field: str, value: int) -> None:
        struct.pack_into("q", self._map, 8 * FIELDS.index(field), value)

    @property
    def beats(self) -> int:
        """Returns the count of the program's own thread."""
        return struct.unpack_from("q", self._map, BEATS)[0]

    def find_code(self, debuggee: Debuggee) -> None:
        """Finds out the address range of the extension's code in the program."""
        for line in Path(f"/proc/{debuggee.pid}/maps").read_text().splitlines():
            fields = line.split()
            if "x" in fields[1] and "/_pystuck" in fields[-1]:
                self["from"], self["to"] = (int(end, 16) for end in fields[0].split("-"))
                return
        raise LookupError("the extension is not loaded")

    @contextlib.contextmanager
    def failing(
        self,
        kinds: Kind,
        whose: Whose,
        *,
        first: int = 1,
        count: int = 1,
        every: int = 0,
        error: int = errno.ENOMEM,
    ) -> Iterator[None]:
        """Makes calls fail within the block."""
        self["whose"], self["first"], self["count"] = whose, first, count
        self["every"], self["error"] = every, error
        self["calls"] = self["failed"] = 0
        self["kinds"] = kinds
        try:
            yield
        finally:
            self["kinds"] = 0
            figures.add("faults", self["failed"])


# ---- Clients -------------------------------------------------------------------------------------


class Gone(Exception):
    """The server has closed the connection."""


class Refused(Exception):
    """A request was answered with an exception of this name."""


def refusal(args: Any) -> str:
    """Returns the name of an exception in a reply. For a SystemError it adds the text, without the
    name of the function."""
    if args == 1:
        return "StopIteration"
    name = args[0][1]
    return f"{name}: {args[1][0].rpartition('> ')[2]}" if name == "SystemError" else name


class Bearing(RawPeer):
    """A client that accepts a reply, an exception or the end of the connection, but not silence.
    The server asks it about the client's own objects: each has a method __call__, which returns 7,
    or raises KeyError if it gets arguments."""

    def answer(self) -> Message:
        while True:
            message = self.receive()
            if message is None:
                raise Gone
            if message.kind == EXCEPTION:
                raise Refused(refusal(message.args))
            if message.kind == REPLY:
                return message
            self._serve(message)

    def _serve(self, request: Message) -> None:
        handler, (_, arguments) = request.args
        if handler == Handler.INSPECT:
            self.reply(request, (("__call__", None),))
        elif handler == Handler.DEL:
            self.reply(request, None)
        elif handler == Handler.PING:
            self.reply(request, arguments[0])
        elif handler == Handler.CALL and arguments[1] != box(()):
            vinegar = brine.dump((("builtins", "KeyError"), ("given",), (), "no traceback"))
            self.send_frame(payload(self.envelope, EXCEPTION, brine.dump(request.seq), vinegar))
        else:
            self.reply(request, 7)

    def request_boxed(self, handler: Handler, *boxes: tuple[int, Any]) -> Any:
        """Returns the result of a request. The arguments are boxed already."""
        self.send(self.request_frame(handler, (TUPLE, boxes)))
        return unbox(self.answer().args)

    def module(self, name: str) -> Ref:
        """Returns a module of the program."""
        return self.value(Handler.CALLATTR, self.root(), "getmodule", (name,))

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the program's main module."""
        function = self.value(Handler.GETATTR, self.module("__main__"), name)
        return self.value(Handler.CALL, function, arguments, ())


def own_object(number: int) -> tuple[int, Any]:
    """Returns an object of the client, boxed."""
    return REMOTE_REF, (f"some.Thing{number}", 1, number)
