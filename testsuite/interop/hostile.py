# SPDX-License-Identifier: BSD-3-Clause
"""A server that sends wrong data to pystuck(1): correct answers up to one stage, then a wrong one.

It implements a classic server by hand, and knows what the client requests (client/eval/cell.h,
client/stacks/fetch.c): the stacks, cells, completion, inspection. A lie replaces one answer.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from harness import PATIENCE, c_program, clean_environment
from rawpeer import (
    EXCEPTION,
    LOCAL_REF,
    REMOTE_REF,
    REPLY,
    REQUEST,
    TUPLE,
    VALUE,
    Envelope,
    Handler,
    Message,
    RawPeer,
    payload,
)
from rpyc.core import brine

MIB = 1 << 20


class Object(NamedTuple):
    """An object of the server."""

    name: str
    class_name: str = "builtins.function"


ROOT = Object("root", "hostile.Root")
NAMESPACE = Object("namespace", "builtins.dict")

#: The report of a process with one thread, with correct values: see report/schema.c.
FRAME = ("x.py", 1, "honestly", None, "work()", "ok")
THREAD = ("thread:1", 1, 1, None, "honest", "threading", False, True, "<Thread(honest, 1)>", "ok",
          None, None, None, None, (FRAME,))  # fmt: skip
STACKS = (2, 1.5, *[None] * 15, (THREAD,))

#: The stages of a client: it requests the root, then the stacks, or the function that starts cells;
#: it calls this function, and runs cells. At the prompt, Tab leads to "complete" and `x?` to
#: "inspect".
LEADS_TO = {
    "root": [],
    "stacks": [],
    "source": ["--json"],
    "begin": ["-c", "x"],
    "cell": ["-c", "x"],
}

#: A lie: a function that sends something in place of an answer.
Lie = Callable[["Liar", Message], None]


class Liar(RawPeer):
    """One connection of a client. `functions` are those that the client has passed: to write to its
    stdout, to write to its stderr, to read a line, and to tell the thread that serves it."""

    def __init__(self, sock: socket.socket, lies: dict[str, Lie]) -> None:
        super().__init__(sock, Envelope.RPYC6)
        self.lies = lies
        self.functions: list[tuple[Any, ...]] = []
        self.answers: list[Message] = []
        self._objects: list[Object] = []

    # Sending.

    def box(self, value: Any) -> tuple[int, Any]:
        """Boxes a value that may contain objects of the server."""
        if isinstance(value, Object):
            if value not in self._objects:
                self._objects.append(value)
            return REMOTE_REF, (value.class_name, 1, 1000 + self._objects.index(value))
        if brine.dumpable(value):
            return VALUE, value
        return TUPLE, tuple(self.box(item) for item in value)

    def say(self, kind: int, seq: Any, args: Any) -> None:
        """Sends a message."""
        self.send_frame(payload(self.envelope, kind, brine.dump(seq), brine.dump(args)))

    def give(self, message: Message, value: Any) -> None:
        """Replies with a value that may contain objects of the server."""
        self.say(REPLY, message.seq, self.box(value))

    def fail(self, message: Message, name: str, text: str = "", traceback: str = "") -> None:
        """Replies with an exception."""
        self.say(EXCEPTION, message.seq, (("builtins", name), (text,), (), traceback))

    def call_frame(self, function: int, *arguments: Any) -> bytes:
        """Returns the request that calls a function of the client."""
        boxed = (TUPLE, ((LOCAL_REF, self.functions[function]), self.box(arguments)))
        return self.request_frame(Handler.CALL, boxed)

    def ask(self, request: bytes) -> Message | None:
        """Sends a request and returns its answer. Serves no requests meanwhile."""
        self.send(request)
        while (answer := self.receive()) and answer.kind == REQUEST:
            pass
        return answer

    def call(self, function: int, *arguments: Any) -> Message | None:
        """Calls a function of the client."""
        return self.ask(self.call_frame(function, *arguments))

    def take_functions(self, message: Message) -> None:
        """Keeps the functions that the client passes when it starts cells."""
        self.functions = [pack for _, pack in message.args[1][1][1][1]]

    # Requests of the client.

    def serve(self) -> None:
        """Answers until the client disconnects."""
        while (message := self.receive()) and message.args[0] != Handler.CLOSE:
            if message.kind == REQUEST:
                self.answer_to(message)

    def answer_to(self, message: Message) -> None:
        """Answers a request, or lies."""
        stage, value = self._what_is_requested(*message.args)
        if stage == "begin":
            self.take_functions(message)
        if stage in self.lies:
            self.lies[stage](self, message)
        elif isinstance(value, BaseException):
            self.fail(message, type(value).__name__, str(value))
        else:
            self.give(message, value)

    def _what_is_requested(self, handler: int, boxed: Any) -> tuple[str, Any]:
        """Returns the stage, or "", and the correct answer."""
        if handler == Handler.GETROOT:
            return "root", ROOT
        arguments = boxed[1] if boxed[0] == TUPLE else ()
        what = self._named(arguments)
        if handler == Handler.STACKS and "source" in self.lies:
            return "", KeyError(handler)  # the client then sends source, as to a stock server
        if handler == Handler.STACKS:
            return "stacks", (2, STACKS)
        if handler == Handler.CALLATTR and arguments[2][1][0].startswith("_pystuck_stacks."):
            return "source", STACKS
        if handler == Handler.CALLATTR and what == "root":
            return "", self._of_root(arguments[1][1], arguments[2][1][0])
        if handler == Handler.CALLATTR and what == "namespace":
            return "", KeyError("no such name")
        if handler == Handler.DIR:
            return "dir", ("name",)
        if handler == Handler.CALL and what == "begin":
            names = ("cell", "begin_chain", "end_chain", "fail_chain")
            run, *chain = (Object(name) for name in names)
            return "begin", (run, 1, NAMESPACE, *chain)
        if handler == Handler.CALL and what in ("make complete", "make inspect"):
            return "", Object(what.split()[1])
        if handler == Handler.CALL:
            return str(what), self._outcome(str(what))
        return "getattr" if handler == Handler.GETATTR else "", None

    def _named(self, arguments: Any) -> str | None:
        """Returns the object of the server that the first argument refers to."""
        label, value = arguments[0] if arguments else (VALUE, None)
        return self._objects[value[2] - 1000].name if label == LOCAL_REF else None

    def _of_root(self, method: str, text: str) -> Any:
        if method == "getmodule":
            return Object(text, "builtins.module")
        if method == "execute":
            return None
        for name, helper in (
            ("complete", "_pystuck_completion"),
            ("inspect", "_pystuck_inspection"),
        ):
            if helper in text:
                return Object(f"make {name}")
        return Object("begin")

    @staticmethod
    def _outcome(name: str) -> Any:
        return {
            "cell": (True, "'a value'"),
            "complete": (0, "name", "(", 1, ("name",)),
            "inspect": (False, True, "what it is"),
        }.get(name)


class Server:
    """Listens, and serves each client with the lies for each stage."""

    def __init__(self, kind: type[Liar] = Liar, **lies: Lie) -> None:
        self.kind, self.lies = kind, lies
        self.clients: list[Liar] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.address = "127.0.0.1", self._listener.getsockname()[1]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self._listener.close()
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.clients.append(self.kind(sock, self.lies))
            thread = threading.Thread(target=self._serve, args=(self.clients[-1],))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: Liar) -> None:
        # for instance of a probe that is not an RPyC client
        with client, contextlib.suppress(Exception):
            client.sock.settimeout(3 * PATIENCE)
            client.serve()


class Done(NamedTuple):
    """The result of a client."""

    status: int
    stdout: str
    stderr: str
    peak: int  # the most memory that it used, in bytes


def most_memory(pid: int) -> int:
    """Returns the largest resident memory of a process so far, in bytes; 0 if it has ended. The
    value of wait4 is at least that of this process when it started the client."""
    with contextlib.suppress(OSError):
        for line in (Path("/proc") / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def run_client(
    *arguments: object, stdin: bytes = b"", patience: float = PATIENCE, **environment: str
) -> Done:
    """Runs the client, for at most this many seconds."""
    peak, deadline = 0, time.monotonic() + patience
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            c_program("PYSTUCK_BIN", *arguments),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=clean_environment(**environment),
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(stdin)
        while process.poll() is None:
            peak = max(peak, most_memory(process.pid))
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.005)
        texts = [os.pread(file.fileno(), 1 << 28, 0).decode() for file in (out, err)]
    return Done(process.returncode, *texts, peak)


# ---- Lies that fit anywhere ----------------------------------------------------------------------


def hang_up(liar: Liar, message: Message) -> None:
    liar.sock.close()


def hang_up_in_the_middle(liar: Liar, message: Message) -> None:
    liar.send(b"\0\0\1\0\0\x02\x11")
    liar.sock.close()


def reset(liar: Liar, message: Message) -> None:
    liar.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    liar.sock.close()


def say_nothing(liar: Liar, message: Message) -> None:
    """Sends nothing from now on."""
    while liar.receive():
        pass


def read_nothing(liar: Liar, message: Message) -> None:
    """Sends requests without end, and reads no answer."""
    ping = liar.request_frame(Handler.PING, (TUPLE, ((VALUE, "x" * 1000),)), seq=7)
    while True:
        liar.sock.sendall(ping * 100)


def raw(data: bytes) -> Lie:
    """Sends these bytes, and nothing more."""

    def lie(liar: Liar, message: Message) -> None:
        liar.send(data)
        say_nothing(liar, message)

    return lie


def flood(liar: Liar, data: bytes) -> None:
    """Sends these bytes again and again, and reads the answers, until the client disconnects."""

    def drain() -> None:
        with contextlib.suppress(OSError):
            while liar.sock.recv(MIB):
                pass

    thread = threading.Thread(target=drain)
    thread.start()
    with contextlib.suppress(OSError):
        while True:
            liar.sock.sendall(data)
    thread.join()


def without_end(data: bytes) -> Lie:
    """Returns a lie that sends this data without end."""
    return lambda liar, message: flood(liar, data)


def slowly(liar: Liar, message: Message) -> None:
    """Sends one byte of an endless answer every 50 ms."""
    liar.send(b"\0\1\0\0\0")
    event = threading.Event()
    while not event.wait(0.05):
        liar.sock.sendall(b"\2")


def reply(args: Any) -> Lie:
    """Replies with data that need not be a valid box."""
    return lambda liar, message: liar.say(REPLY, message.seq, args)


def value(given: Any) -> Lie:
    """Replies with a value."""
    return lambda liar, message: liar.give(message, given)


def vinegar(args: Any) -> Lie:
    """Replies with an exception that need not be valid."""
    return lambda liar, message: liar.say(EXCEPTION, message.seq, args)


def in_brine(data: bytes, *, compressed: bool = False) -> Lie:
    """Replies with this brine, valid or not."""

    def lie(liar: Liar, message: Message) -> None:
        said = payload(liar.envelope, REPLY, brine.dump(message.seq), data)
        liar.send_frame(said, compressed=compressed)

    return lie
