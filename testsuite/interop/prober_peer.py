# SPDX-License-Identifier: BSD-3-Clause
"""A connection of prober.py, and the checks of what the server sends.

All parts of the server's messages are checked: frames, envelopes, boxes, vinegar. Wrong is raised
for anything that doc/protocol.md does not allow, and for a server that sends nothing for too long.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Union

from prober_wire import (
    CALLATTR,
    CLOSE,
    DEL,
    EXCEPTION,
    GETROOT,
    INSPECT,
    PING,
    REPLY,
    REQUEST,
    THREAD,
    Envelope,
    Malformed,
    Message,
    Theirs,
    box,
    dump,
    frame,
    is_dumpable,
    payload_of,
    split_frames,
    unbox,
)

Address = Union[str, tuple[str, int]]

#: The reactions of a server: it sends a reply, sends an exception, closes the connection, or does
#: nothing.
ANSWERED, REFUSED, CLOSED, SILENT = "answered", "refused", "closed", "ignored"

#: The allowed reactions to invalid data.
BAD = frozenset({REFUSED, CLOSED})
#: The allowed reactions to unusual data, which a server may understand.
ODD = BAD | {ANSWERED}
#: The allowed reactions to messages that require no answer.
UNANSWERABLE = frozenset({SILENT, CLOSED})
#: Additional reactions of stock servers, which check little of what they receive.
STOCK_TOO = frozenset({ANSWERED, SILENT})

#: The number of the request that is sent after bad data: its answer shows that no other answer will
#: come. The request is GETROOT, because a PING may be answered before requests that take longer.
LAST = 0x5EED

GREETING = b"still there?"


class Wrong(Exception):
    """The server did something that the protocol does not allow, or nothing for too long."""


class Dead(Exception):
    """The server does not accept connections any more."""


class Refusal(Exception):
    """Raised by functions of Peer.serving: the server gets `vinegar` as an exception."""

    def __init__(self, vinegar: Any) -> None:
        super().__init__(vinegar)
        self.vinegar = vinegar


def vinegar(name: str = "ValueError", *args: Any) -> tuple[Any, ...]:
    """Returns valid vinegar for a built-in exception."""
    return ("builtins", name), args, (("_remote_version", "<version denied>"),), "a traceback\n"


def open_socket(address: Address, patience: float) -> socket.socket:
    """Connects to a host and port, or to a Unix socket; @name is an abstract socket."""
    try:
        if not isinstance(address, str):
            sock = socket.create_connection(address, patience)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(patience)
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        return sock
    except OSError as error:
        raise Dead(f"cannot connect: {error}") from error


def is_whole(data: bytes) -> bool:
    """Returns True if the data ends at the end of a frame."""
    return not split_frames(data)[1] and data[-1:] in (b"", b"\n")


class Peer:
    """One connection. Sends requests to the server, and answers its requests."""

    def __init__(
        self, address: Address, envelope: Envelope, patience: float = 10.0, stock: bool = False
    ) -> None:
        self.address, self.envelope, self.stock = address, envelope, stock
        self.patience = patience
        self.sent = b""
        self.unread = b""
        self.seqs = itertools.count()
        #: The number of requests of the server that were answered.
        self.served = 0
        #: Functions that return the results of the server's requests, by handler. Other requests
        #: get an exception.
        self.serving: dict[int, Callable[..., Any]] = {
            INSPECT: lambda pack: (("__call__", None),),
            DEL: lambda mine, count=1: None,
        }
        #: Functions that return the frames of an answer, by handler; used in place of `serving`.
        self.raw_answers: dict[int, Callable[[Message], bytes]] = {}
        #: The thread id that answers must have; None if any thread id is correct.
        self.thread: int | None = THREAD if envelope.bound else 0
        #: True if the server may still wait for the answer to one of its requests.
        self.may_wait = False
        self.serves_thread = 0
        self.sock = open_socket(address, patience)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.sock.close()

    def newcomer(self) -> Peer:
        """Opens another connection, and sends nothing."""
        return Peer(self.address, self.envelope, self.patience, self.stock)

    def another(self) -> Peer:
        """Opens another connection, and asks for its root."""
        peer = self.newcomer()
        peer.ask_for_root()
        return peer

    # ---- Bytes and messages ----

    def send(self, data: bytes) -> None:
        """Sends bytes; ignores a connection that the server has closed."""
        self.sent += data
        try:
            self.sock.sendall(data)
        except socket.timeout as error:
            raise Wrong(f"the server reads nothing for {self.patience:g} s") from error
        except ConnectionError:
            return

    def half_close(self) -> None:
        """Shuts down the sending side of the connection."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read(self) -> bytes:
        """Reads bytes; returns b"" at the end of the connection."""
        try:
            return self.sock.recv(1 << 20)
        except socket.timeout as error:
            raise Wrong(f"the server sends nothing for {self.patience:g} s") from error
        except ConnectionError:
            self.unread = b""  # after a reset a frame may be incomplete
            return b""

    def next_payload(self) -> bytes | None:
        """Returns the payload of the next frame; None at the end of the connection."""
        while len(self.unread) < 5 or len(self.unread) < self.frame_size():
            data = self.read()
            if not data and self.unread:
                raise Wrong(f"an incomplete frame: {self.unread!r:.80}")
            if not data:
                return None
            self.unread += data
        size = self.frame_size()
        whole, self.unread = self.unread[:size], self.unread[size:]
        if not whole.endswith(b"\n"):
            raise Wrong(f"a frame without a newline: {whole!r:.80}")
        try:
            return payload_of(whole[4], whole[5:-1])
        except Malformed as error:
            raise Wrong(f"{whole!r:.80}: {error}") from error

    def frame_size(self) -> int:
        """Returns the size of the first frame in `unread`."""
        return struct.unpack(">I", self.unread[:4])[0] + 6

    def receive(self) -> Message | None:
        """Returns the next message; None at the end, or if the server sends CLOSE."""
        payload = self.next_payload()
        if payload is None:
            return None
        try:
            message = self.envelope.message(payload)
            if message.kind != REQUEST and self.thread not in (None, message.to):
                raise Malformed(f"a reply for thread {message.to:#x}")
            return None if self.is_close(message) else message
        except Malformed as error:
            raise Wrong(f"{payload!r:.80}: {error}") from error

    def is_close(self, message: Message) -> bool:
        """Returns True for a CLOSE request; raises Malformed for an invalid request."""
        if message.kind != REQUEST:
            return False
        if type(message.args) is not tuple or len(message.args) != 2:
            raise Malformed("a request that is not a pair")
        if type(unbox(message.args[1])) is not tuple:
            raise Malformed("arguments that are not a tuple")
        return message.args[0] == CLOSE

    def message(self, kind: Any, seq: Any, args: Any, to: int = 0) -> bytes:
        """Returns a message in a frame."""
        return frame(self.envelope.payload(kind, seq, args, to))

    # ---- Requests ----

    def frame_of(self, handler: Any, *args: Any, seq: Any = None) -> bytes:
        """Returns a request in a frame."""
        seq = next(self.seqs) if seq is None else seq
        return self.message(REQUEST, seq, (handler, box(args)), self.serves_thread)

    def request(self, handler: Any, *args: Any) -> Message:
        """Sends a request and returns its answer."""
        seq = next(self.seqs)
        self.send(self.frame_of(handler, *args, seq=seq))
        return self.answer(seq)

    def request_or_none(self, handler: Any, *args: Any) -> Message | None:
        """Sends a request and returns its answer; None if the server closes the connection."""
        self.send(self.frame_of(handler, *args))
        return self.next_answer()

    def answer(self, seq: Any) -> Message:
        """Returns the next answer, which must have this number; answers requests before it."""
        message = self.next_answer()
        if message is None:
            raise Wrong(f"the server closes the connection, without an answer to {seq!r}")
        if dump(message.seq) != dump(seq):
            raise Wrong(f"an answer to {message.seq!r}, not to {seq!r}: {message!r:.200}")
        return message

    def next_answer(self) -> Message | None:
        """Returns the next answer; None at the end. Answers the requests before it."""
        while True:
            message = self.receive()
            if message is None or message.kind in (REPLY, EXCEPTION):
                return message
            if message.kind != REQUEST:
                raise Wrong(f"a message of an unknown kind: {message!r:.200}")
            self.serve(message)

    def serve(self, message: Message) -> None:
        """Answers a request of the server."""
        self.served += 1
        if message.args[0] in self.raw_answers:
            self.send_raw(self.raw_answers[message.args[0]](message))
            return
        before, self.serves_thread = self.serves_thread, message.thread
        try:
            kind, args = REPLY, self.result_for(message)
        except Refusal as refusal:
            kind, args = EXCEPTION, refusal.vinegar
        finally:
            self.serves_thread = before
        self.send(self.message(kind, message.seq, args, message.thread))

    def result_for(self, message: Message) -> Any:
        """Returns the boxed result of a request of the server."""
        handler, args = message.args[0], unbox(message.args[1])
        if handler not in self.serving:
            raise Refusal(vinegar("NotImplementedError"))
        return box(self.serving[handler](*args))

    def send_raw(self, answer: bytes) -> None:
        """Sends an answer that may be invalid.

        Shuts down the sending side if the server would wait for the rest of a frame, or if it would
        wait for a valid answer on a bound thread, where it serves nothing else.
        """
        self.send(answer)
        if not is_whole(answer) or (self.may_wait and self.envelope.bound):
            self.half_close()

    def value(self, handler: int, *args: Any) -> Any:
        """Sends a request and returns its result; raises Wrong if the answer is an exception."""
        message = self.request(handler, *args)
        if message.kind != REPLY:
            raise Wrong(f"an exception instead of a reply: {message.args!r:.500}")
        return result_of(message)

    def error(self, handler: int, *args: Any) -> Any:
        """Sends a request and returns the vinegar of its answer; raises Wrong if it is a reply."""
        message = self.request(handler, *args)
        if message.kind != EXCEPTION:
            raise Wrong(f"a reply instead of an exception: {message.args!r:.500}")
        return vinegar_of(message)

    def ask_for_root(self) -> None:
        """Asks for the root as every client does; then has the server evaluate an expression."""
        self.root = self.value(GETROOT)
        require(type(self.root) is Theirs, f"the root is {self.root!r}")
        self.thing = self.eval("[1, 'two']")
        require(type(self.thing) is Theirs, f"a list is sent as {self.thing!r}")
        same(self.value(PING, GREETING), GREETING)

    def eval(self, text: str, of: Any = None) -> Any:
        """Returns the value of an expression, in which the name `it` stands for `of`."""
        if of is None:
            return self.value(CALLATTR, self.root, "eval", (text,))
        return self.value(CALLATTR, self.eval(f"lambda it: {text}"), "__call__", (of,))

    def execute(self, text: str) -> None:
        """Executes statements in the server."""
        same(self.value(CALLATTR, self.root, "execute", (text,)), None)

    # ---- The reactions of the server ----

    def provoke(
        self, data: bytes, lacks: Callable[[list[Message]], bool] = lambda answers: False
    ) -> tuple[list[Message], bool]:
        """Sends data. Returns all answers, and True if the server closed the connection.

        If the frames are whole, sends the request LAST until it is answered and lacks(answers) is
        false. Otherwise the server waits for the rest of a frame: shuts down the sending side.
        """
        last = self.message(REQUEST, LAST, (GETROOT, box(())))
        self.send(data + last)
        if not is_whole(data) or not is_whole(data + last):
            self.half_close()
        answers: list[Message] = []
        served, deadline = self.served, time.monotonic() + self.patience
        while True:
            message = self.next_answer()
            if message is None:
                return answers, True
            check_answer(message)
            if message[:2] != (REPLY, LAST):
                answers.append(message)
            elif served != self.served:  # the server may have waited for the prober
                served = self.served
                self.send(last)
            elif lacks(answers) and time.monotonic() < deadline:
                time.sleep(0.005)  # requests with thread ids may overtake each other
                self.send(last)
            else:
                return answers, False

    def expect(self, data: bytes, allowed: Iterable[str], seq: Any = ...) -> None:
        """Sends data and raises Wrong if the reaction is not in `allowed`.

        With `seq` all answers must have this number.
        """
        answers, closed = self.provoke(data)
        for message in answers:
            if seq is not ... and dump(message.seq) != dump(seq):
                raise Wrong(f"an answer without a request: {message!r:.200}")
        came = CLOSED if closed else SILENT
        if answers:
            came = ANSWERED if answers[0].kind == REPLY else REFUSED
        if came not in allowed and not (self.stock and came in STOCK_TOO):
            raise Wrong(f"{came}, expected {' or '.join(sorted(allowed))}: {answers!r:.200}")


def result_of(message: Message) -> Any:
    """Returns the unboxed value of a reply; raises Wrong if it is malformed."""
    try:
        return unbox(message.args)
    except Malformed as error:
        raise Wrong(str(error)) from error


def vinegar_of(message: Message) -> Any:
    """Returns the vinegar of an exception; raises Wrong if it is not as in doc/protocol.md."""
    sour = message.args
    if type(sour) is int and sour == 1:
        return sour
    require(type(sour) is tuple and len(sour) == 4, f"invalid vinegar: {sour!r:.200}")
    name, args, attributes, text = sour
    require(type(name) is tuple and [type(part) for part in name] == [str, str], f"name {name!r}")
    require(type(args) is tuple and is_dumpable(args), f"args {args!r}")
    require(type(attributes) is tuple, f"attributes {attributes!r}")
    pairs = [type(pair) is tuple and len(pair) == 2 for pair in attributes]
    require(all(pairs), f"attributes {attributes!r}")
    names = [name for name, _ in attributes]
    require(all(type(name) is str for name in names), f"attributes {attributes!r}")
    require("args" not in names and "with_traceback" not in names, f"attributes {attributes!r}")
    require("_remote_version" in names, f"no _remote_version: {attributes!r}")
    require(type(text) is str, f"the traceback is {text!r}")
    return sour


def check_answer(message: Message) -> None:
    """Raises Wrong if an answer is malformed."""
    (result_of if message.kind == REPLY else vinegar_of)(message)


def require(condition: bool, otherwise: str) -> None:
    """Raises Wrong unless the condition holds."""
    if not condition:
        raise Wrong(otherwise)


def same(got: Any, expected: Any) -> None:
    """Raises Wrong unless two values are the same. NaN is the same as NaN; 0.0 is not -0.0."""
    try:
        equal = dump(got) == dump(expected)
    except TypeError:  # brine has no objects and lists
        equal = got == expected
    require(equal, f"{got!r:.200} is not {expected!r:.200}")


class Probe(NamedTuple):
    """A function that is run with a new connection, and its name."""

    name: str
    run: Callable[[Peer], Any]
    is_bad: bool = True

    @classmethod
    def of(cls, function: Callable[[Peer], Any]) -> Probe:
        """Makes a probe with valid requests from a function; its name becomes the probe's name."""
        return cls(function.__name__.replace("_", " "), function, is_bad=False)
