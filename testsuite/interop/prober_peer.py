# SPDX-License-Identifier: BSD-3-Clause
"""A connection of prober.py's, and what may come of what is sent over it.

Whatever the server sends is checked in full: frames, envelopes, boxes, vinegar. What is not as
protocol.md has it raises Wrong, and so does a server that says nothing for too long.
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

#: What may come of something that was sent.
ANSWERED, REFUSED, CLOSED, SILENT = "answered", "refused", "closed", "passed over in silence"

#: What has to come of nonsense ...
BAD = frozenset({REFUSED, CLOSED})
#: ... of what some would understand ...
ODD = BAD | {ANSWERED}
#: ... and of what asks for no answer.
UNANSWERABLE = frozenset({SILENT, CLOSED})
#: What may also come of them at a stock server, which "looks at little of what it is sent".
STOCK_TOO = frozenset({ANSWERED, SILENT})

#: The number of the last request after something bad: its answer says that no other is to come. It
#: is GETROOT, since a PING may overtake what takes longer.
LAST = 0x5EED

GREETING = b"still there?"


class Wrong(Exception):
    """The server did what it must not, or nothing for too long."""


class Dead(Exception):
    """Nobody listens any more."""


class Refusal(Exception):
    """To be raised where the server asks for something: sends this vinegar, whatever it is."""

    def __init__(self, vinegar: Any) -> None:
        super().__init__(vinegar)
        self.vinegar = vinegar


def vinegar(name: str = "ValueError", *args: Any) -> tuple[Any, ...]:
    """An exception of Python's own, well-formed."""
    return ("builtins", name), args, (("_remote_version", "<version denied>"),), "a traceback\n"


def open_socket(address: Address, patience: float) -> socket.socket:
    """Connects to a host and port, or to a Unix socket, abstract if it begins with @."""
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
    """Whether the last frame ends where the data does."""
    return not split_frames(data)[1] and data[-1:] in (b"", b"\n")


class Peer:
    """One connection, and the requests that it makes and serves."""

    def __init__(
        self, address: Address, envelope: Envelope, patience: float = 10.0, stock: bool = False
    ) -> None:
        self.address, self.envelope, self.stock = address, envelope, stock
        self.patience = patience
        self.sent = b""
        self.unread = b""
        self.seqs = itertools.count()
        #: How many requests of the server's were answered.
        self.served = 0
        #: How the server's requests are answered, by handler; others get an exception.
        self.serving: dict[int, Callable[..., Any]] = {
            INSPECT: lambda pack: (("__call__", None),),
            DEL: lambda mine, count=1: None,
        }
        #: ... and how they are where not a result is sent but whole frames.
        self.raw_answers: dict[int, Callable[[Message], bytes]] = {}
        #: The thread that answers are for; None where the requests are of any.
        self.thread: int | None = THREAD if envelope.bound else 0
        #: Whether a request of the server's was answered so that it may still wait.
        self.may_wait = False
        self.serves_thread = 0
        self.sock = open_socket(address, patience)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.sock.close()

    def newcomer(self) -> Peer:
        """One more connection, on which nothing has been said."""
        return Peer(self.address, self.envelope, self.patience, self.stock)

    def another(self) -> Peer:
        """One more connection of the same kind."""
        peer = self.newcomer()
        peer.ask_for_root()
        return peer

    # ---- Bytes and messages ----

    def send(self, data: bytes) -> None:
        """Sends bytes, if the server still takes them."""
        self.sent += data
        try:
            self.sock.sendall(data)
        except socket.timeout as error:
            raise Wrong(f"takes no more bytes for {self.patience:g} s") from error
        except ConnectionError:
            return

    def half_close(self) -> None:
        """Says that nothing more will come."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes the connection as a crashed machine would."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read(self) -> bytes:
        """More bytes; none at the end."""
        try:
            return self.sock.recv(1 << 20)
        except socket.timeout as error:
            raise Wrong(f"says nothing for {self.patience:g} s") from error
        except ConnectionError:
            self.unread = b""  # a reset takes with it what was on its way
            return b""

    def next_payload(self) -> bytes | None:
        """The payload of the next frame; None at the end."""
        while len(self.unread) < 5 or len(self.unread) < self.frame_size():
            data = self.read()
            if not data and self.unread:
                raise Wrong(f"a frame that is cut off: {self.unread!r:.80}")
            if not data:
                return None
            self.unread += data
        size = self.frame_size()
        whole, self.unread = self.unread[:size], self.unread[size:]
        if not whole.endswith(b"\n"):
            raise Wrong(f"a frame without newline: {whole!r:.80}")
        try:
            return payload_of(whole[4], whole[5:-1])
        except Malformed as error:
            raise Wrong(f"{whole!r:.80}: {error}") from error

    def frame_size(self) -> int:
        """How long the frame is that begins what is unread."""
        return struct.unpack(">I", self.unread[:4])[0] + 6

    def receive(self) -> Message | None:
        """The next message; None at the end, or where the server says CLOSE."""
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
        """Whether it is the server's CLOSE; raises if it is a request that is none."""
        if message.kind != REQUEST:
            return False
        if type(message.args) is not tuple or len(message.args) != 2:
            raise Malformed("no request")
        if type(unbox(message.args[1])) is not tuple:
            raise Malformed("arguments that are no tuple")
        return message.args[0] == CLOSE

    def message(self, kind: Any, seq: Any, args: Any, to: int = 0) -> bytes:
        """A message in its frame."""
        return frame(self.envelope.payload(kind, seq, args, to))

    # ---- Requests ----

    def frame_of(self, handler: Any, *args: Any, seq: Any = None) -> bytes:
        """A request in its frame."""
        seq = next(self.seqs) if seq is None else seq
        return self.message(REQUEST, seq, (handler, box(args)), self.serves_thread)

    def request(self, handler: Any, *args: Any) -> Message:
        """The answer to a request."""
        seq = next(self.seqs)
        self.send(self.frame_of(handler, *args, seq=seq))
        return self.answer(seq)

    def request_or_none(self, handler: Any, *args: Any) -> Message | None:
        """The answer to a request; None where the server hangs up, and may."""
        self.send(self.frame_of(handler, *args))
        return self.next_answer()

    def answer(self, seq: Any) -> Message:
        """The answer with this number, which has to be the next one; serves what comes before."""
        message = self.next_answer()
        if message is None:
            raise Wrong("hangs up, and owes an answer")
        if dump(message.seq) != dump(seq):
            raise Wrong(f"an answer to {message.seq!r}, not to {seq!r}: {message!r:.200}")
        return message

    def next_answer(self) -> Message | None:
        """The next message that is no request; None at the end. Serves what comes before."""
        while True:
            message = self.receive()
            if message is None or message.kind in (REPLY, EXCEPTION):
                return message
            if message.kind != REQUEST:
                raise Wrong(f"a message of no known kind: {message!r:.200}")
            self.serve(message)

    def serve(self, message: Message) -> None:
        """Answers a request of the server's."""
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
        """The boxed result of a request of the server's."""
        handler, args = message.args[0], unbox(message.args[1])
        if handler not in self.serving:
            raise Refusal(vinegar("NotImplementedError"))
        return box(self.serving[handler](*args))

    def send_raw(self, answer: bytes) -> None:
        """Sends an answer that may be wrong.

        Where the server then waits for the rest of it, or for one that will not come, there is the
        end: of a thread that is bound it serves nothing else meanwhile.
        """
        self.send(answer)
        if not is_whole(answer) or (self.may_wait and self.envelope.bound):
            self.half_close()

    def value(self, handler: int, *args: Any) -> Any:
        """The result of a request."""
        message = self.request(handler, *args)
        if message.kind != REPLY:
            raise Wrong(f"an exception for an answer: {message.args!r:.500}")
        return result_of(message)

    def error(self, handler: int, *args: Any) -> Any:
        """The vinegar that a request gets."""
        message = self.request(handler, *args)
        if message.kind != EXCEPTION:
            raise Wrong(f"an answer for an exception: {message.args!r:.500}")
        return vinegar_of(message)

    def ask_for_root(self) -> None:
        """Does what every client begins with, and something that Python has to do."""
        self.root = self.value(GETROOT)
        require(type(self.root) is Theirs, f"a root that is {self.root!r}")
        self.thing = self.eval("[1, 'two']")
        require(type(self.thing) is Theirs, f"a list that is {self.thing!r}")
        same(self.value(PING, GREETING), GREETING)

    def eval(self, text: str, of: Any = None) -> Any:
        """An expression's value; `of` is what it calls `it`."""
        if of is None:
            return self.value(CALLATTR, self.root, "eval", (text,))
        return self.value(CALLATTR, self.eval(f"lambda it: {text}"), "__call__", (of,))

    def execute(self, text: str) -> None:
        """Has the server run statements."""
        same(self.value(CALLATTR, self.root, "execute", (text,)), None)

    # ---- What comes of things ----

    def provoke(
        self, data: bytes, lacks: Callable[[list[Message]], bool] = lambda answers: False
    ) -> tuple[list[Message], bool]:
        """All answers to what is sent, and whether the connection was closed.

        If the frames are whole, another request follows whose answer says that all have come, once
        nothing is lacking. Else the server waits for the rest, as it should, and is told that there
        is none.
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
            elif served != self.served:  # it was answered while the server waited for us
                served = self.served
                self.send(last)
            elif lacks(answers) and time.monotonic() < deadline:
                time.sleep(0.005)  # requests with thread ids may overtake each other
                self.send(last)
            else:
                return answers, False

    def expect(self, data: bytes, allowed: Iterable[str], seq: Any = ...) -> None:
        """Sends something, of which one of `allowed` has to come, for the number `seq` if given."""
        answers, closed = self.provoke(data)
        for message in answers:
            if seq is not ... and dump(message.seq) != dump(seq):
                raise Wrong(f"an answer to what nobody asked: {message!r:.200}")
        came = CLOSED if closed else SILENT
        if answers:
            came = ANSWERED if answers[0].kind == REPLY else REFUSED
        if came not in allowed and not (self.stock and came in STOCK_TOO):
            raise Wrong(f"{came}, which has to be {' or '.join(sorted(allowed))}: {answers!r:.200}")


def result_of(message: Message) -> Any:
    """What a reply has in its box."""
    try:
        return unbox(message.args)
    except Malformed as error:
        raise Wrong(str(error)) from error


def vinegar_of(message: Message) -> Any:
    """The arguments of an exception, which have to be as protocol.md has them."""
    sour = message.args
    if type(sour) is int and sour == 1:
        return sour
    require(type(sour) is tuple and len(sour) == 4, f"no vinegar: {sour!r:.200}")
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
    require(type(text) is str, f"a traceback that is {text!r}")
    return sour


def check_answer(message: Message) -> None:
    """Checks the form of an answer whose content can be anything."""
    (result_of if message.kind == REPLY else vinegar_of)(message)


def require(condition: bool, otherwise: str) -> None:
    """Raises Wrong unless the condition holds."""
    if not condition:
        raise Wrong(otherwise)


def same(got: Any, expected: Any) -> None:
    """Raises Wrong unless two values are the same, NaNs and zeros included."""
    try:
        equal = dump(got) == dump(expected)
    except TypeError:  # objects, or a list of results
        equal = got == expected
    require(equal, f"{got!r:.200} is not {expected!r:.200}")


class Probe(NamedTuple):
    """Something to try over a new connection."""

    name: str
    run: Callable[[Peer], Any]
    is_bad: bool = True

    @classmethod
    def of(cls, function: Callable[[Peer], Any]) -> Probe:
        """What a client may do, by a function whose name says what holds."""
        return cls(function.__name__.replace("_", " "), function, is_bad=False)
