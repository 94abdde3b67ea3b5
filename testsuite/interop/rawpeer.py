# SPDX-License-Identifier: BSD-3-Clause
"""A peer that can send anything: it builds frames and messages of RPyC itself, in both envelopes.

It is written from doc/protocol.md. From rpyc it uses only `brine`.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import figures
from harness import BUSY, PATIENCE, THREAD_SANITIZED, Debuggee, wait_until
from rpyc.core import brine

#: The next sequence number.
NEXT = object()

REQUEST, REPLY, EXCEPTION = 1, 2, 3
VALUE, TUPLE, LOCAL_REF, REMOTE_REF = 1, 2, 3, 4


class Handler(enum.IntEnum):
    """The numbers of the requests."""

    PING = 1
    CLOSE = 2
    GETROOT = 3
    GETATTR = 4
    DELATTR = 5
    SETATTR = 6
    CALL = 7
    CALLATTR = 8
    REPR = 9
    STR = 10
    CMP = 11
    HASH = 12
    DIR = 13
    PICKLE = 14
    DEL = 15
    INSPECT = 16
    BUFFITER = 17
    OLDSLICING = 18
    CTXEXIT = 19
    INSTANCECHECK = 20
    STACKS = 0x70


class Envelope(enum.Enum):
    """How a message is laid out in each generation."""

    RPYC5 = 5
    RPYC6 = 6


#: For pytest.mark.parametrize.
ENVELOPES = [Envelope.RPYC5, Envelope.RPYC6]


class Ref(NamedTuple):
    """An object of the other side, by its id pack."""

    id_pack: tuple[Any, ...]


class Message(NamedTuple):
    """A received message."""

    kind: int
    seq: Any
    args: Any


def frame(
    payload: bytes, *, compressed: int = 0, length: int | None = None, end: bytes = b"\n"
) -> bytes:
    """Returns a frame that contains `payload` unchanged. The header may say something else."""
    if length is None:
        length = len(payload)
    return struct.pack("!LB", length, compressed) + payload + end


def payload(envelope: Envelope, kind: int, seq: bytes, args: bytes) -> bytes:
    """Returns the payload of a message: `seq` and `args` in brine."""
    if envelope is Envelope.RPYC6:
        return bytes([kind]) + b"\x11" + seq + args
    return b"\x12" + brine.dump(kind) + seq + args


def box(value: Any) -> tuple[int, Any]:
    """Boxes a value, a `Ref`, or a tuple of these."""
    if isinstance(value, Ref):
        return LOCAL_REF, value.id_pack
    if brine.dumpable(value):
        return VALUE, value
    return TUPLE, tuple(box(item) for item in value)


class RawPeer:
    """A connection to a server, with functions to send and receive."""

    def __init__(self, sock: socket.socket, envelope: Envelope) -> None:
        self.sock = sock
        self.envelope = envelope
        self.sock.settimeout(PATIENCE)
        self._seq = itertools.count()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    # Bytes and frames.

    def send(self, data: bytes) -> None:
        """Sends bytes. Ignores that the other side may have disconnected."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)

    def send_frame(self, data: bytes, **options: Any) -> None:
        """Sends a payload that no client would send, as a frame."""
        figures.add("bad inputs")
        self.send(frame(data, **options))

    def _receive_exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def receive_frame(self) -> bytes | None:
        """Returns the payload of the next frame, or None at the end."""
        header = self._receive_exactly(5)
        if header is None:
            return None
        length, compressed = struct.unpack("!LB", header)
        data = self._receive_exactly(length + 1)
        if data is None:
            return None
        assert data[-1:] == b"\n"
        assert compressed in (0, 1)
        return zlib.decompress(data[:-1]) if compressed else data[:-1]

    def receive(self) -> Message | None:
        """Returns the next message, or None at the end."""
        data = self.receive_frame()
        if data is None:
            return None
        if self.envelope is Envelope.RPYC6:
            return Message(data[0], *brine.load(data[1:]))
        return Message(*brine.load(data))

    def wait_readable(self) -> None:
        """Waits until data has arrived, and reads nothing."""
        ready, _, _ = select.select([self.sock], [], [], PATIENCE)
        assert ready, "nothing came"

    def is_closed(self) -> bool:
        """Returns True if the server closes the connection and sends nothing more."""
        return self._receive_exactly(1) is None

    def half_close(self) -> None:
        """Ends the sending direction of the connection."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    # Messages.

    def request_frame(self, handler: Any, boxed: Any, seq: Any = NEXT) -> bytes:
        """Returns the frame of a request; `boxed` are the arguments, already boxed."""
        if seq is NEXT:
            seq = next(self._seq)
        if isinstance(handler, Handler):
            handler = int(handler)
        args = brine.dump((handler, boxed))
        return frame(payload(self.envelope, REQUEST, brine.dump(seq), args))

    def request(self, handler: int, *arguments: Any) -> Message | None:
        """Sends a request and returns the answer. Answers requests of the server with errors."""
        self.send(self.request_frame(handler, box(arguments)))
        return self.answer()

    def answer(self) -> Message | None:
        """Returns the next reply or exception. None at the end, or after CLOSE."""
        while True:
            message = self.receive()
            if message is None or message.kind != REQUEST:
                return message
            if message.args[0] == Handler.CLOSE:
                return None
            self._refuse(message)

    def reply(self, message: Message, value: Any) -> None:
        """Answers a request of the server with a plain value."""
        args = brine.dump((VALUE, value))
        self.send_frame(payload(self.envelope, REPLY, brine.dump(message.seq), args))

    def answer_inspect(self, *methods: tuple[str, str | None]) -> None:
        """Waits until the server sends INSPECT for an object of this client, and answers it."""
        message = self.receive()
        assert message is not None
        assert message.args[0] == Handler.INSPECT
        self.reply(message, methods)

    def _refuse(self, message: Message) -> None:
        vinegar = (("builtins", "TypeError"), ("refused",), (), "no traceback")
        args = brine.dump(vinegar)
        data = payload(self.envelope, EXCEPTION, brine.dump(message.seq), args)
        self.send_frame(data)

    # The classic service.

    def root(self) -> Ref:
        """Returns the service."""
        return self.value(Handler.GETROOT)

    def value(self, handler: int, *arguments: Any) -> Any:
        """Returns the unboxed result of a request that must succeed; references are `Ref`."""
        answer = self.request(handler, *arguments)
        assert answer is not None, "the server closed the connection"
        assert answer.kind == REPLY, answer
        return unbox(answer.args)

    def error(self, handler: int, *arguments: Any) -> str:
        """Returns the name of the builtin exception that answers a request."""
        answer = self.request(handler, *arguments)
        assert answer is not None, "the server closed the connection"
        return error_name(answer)

    def eval(self, text: str) -> Any:
        """Evaluates an expression in the debuggee."""
        return self.value(Handler.CALLATTR, self.root(), "eval", (text,))

    def works(self) -> bool:
        """Returns True if requests are still answered correctly."""
        answer = self.request(Handler.PING, "still there")
        return answer is not None and answer.args == (VALUE, "still there")


def unbox(boxed: tuple[int, Any]) -> Any:
    """Returns the value in a box."""
    label, value = boxed
    if label == TUPLE:
        return tuple(unbox(item) for item in value)
    if label == REMOTE_REF:
        return Ref(value)
    assert label == VALUE, boxed
    return value


def error_name(message: Message) -> str:
    """Returns the name of the builtin exception in `message`."""
    assert message.kind == EXCEPTION, message
    if message.args == 1:
        return "StopIteration"
    (module, name), args, attributes, text = message.args
    assert module == "builtins"
    assert isinstance(args, tuple)
    assert isinstance(text, str)
    assert all(isinstance(attribute, str) for attribute, _ in attributes)
    return name


def connect_socket(debuggee: Debuggee) -> socket.socket:
    """Returns a connected socket on which nothing has been sent."""
    if debuggee.unix_socket:
        sock = socket.socket(socket.AF_UNIX)
        # With a Python timeout, connect() does not wait until the server has accepted earlier
        # clients.
        patience = struct.pack("ll", int(PATIENCE), 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        name = debuggee.unix_socket
        sock.connect("\0" + name[1:] if name.startswith("@") else name)
        sock.settimeout(PATIENCE)
        return sock
    sock = socket.create_connection((debuggee.host, debuggee.port), PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def is_refused(debuggee: Debuggee) -> bool:
    """Returns True if no server listens any more."""
    try:
        connect_socket(debuggee).close()
    except ConnectionRefusedError:
        return True
    return False


def raw_connect(debuggee: Debuggee, envelope: Envelope = Envelope.RPYC6) -> RawPeer:
    """Returns a raw peer that is connected to the server of a debuggee."""
    return RawPeer(connect_socket(debuggee), envelope)


def pass_object(peer: RawPeer, function: Any, *methods: str, name: str = "some.function") -> None:
    """Calls a function of the debuggee with an object of the client. The object has these methods
    and a class of this name."""
    boxed = (TUPLE, (box(function), (TUPLE, ((REMOTE_REF, (name, 1, 2)),)), box(())))
    peer.send(peer.request_frame(Handler.CALL, boxed))
    peer.answer_inspect(*((name, None) for name in methods))


def give_thing(peer: RawPeer, *methods: str) -> None:
    """Stores an object of the client as `thing` in the debuggee's main module."""
    pass_object(peer, peer.eval("lambda f: setattr(__import__('__main__'), 'thing', f)"), *methods)
    answer = peer.answer()
    assert answer is not None
    assert answer.kind == REPLY


def call_back(peer: RawPeer, function: Any) -> Message:
    """Makes a function of the debuggee call a function of the client. Returns that call, which is
    not answered yet."""
    pass_object(peer, function, "__call__")
    call = peer.receive()
    assert call is not None
    return call


def stop_reading(peer: RawPeer) -> None:
    """Requests more data than fits into the buffers and does not read it: a thread of the debuggee
    then blocks in sending."""
    text = "b'x' * 50_000_000"
    peer.send(peer.request_frame(Handler.CALLATTR, box((peer.root(), "eval", (text,)))))
    peer.wait_readable()


#: Never ends by itself, and releases the GIL now and then.
GENERATOR = "(n for n in iter(lambda: __import__('time').sleep(0.001), 1))"


def start_generator(peer: RawPeer) -> None:
    generator = peer.eval(GENERATOR)
    peer.send(peer.request_frame(Handler.BUFFITER, box((generator, 10**6))))


@contextlib.contextmanager
def twenty_busy_clients(debuggee: Debuggee) -> Iterator[list[RawPeer]]:
    """Connects twenty clients, of which fifteen have a request that does not end: five sleep,
    compute, wait or read, five call the client, and five iterate. Five clients are idle."""
    with contextlib.ExitStack() as stack, raw_connect(debuggee) as observer:
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(20)]
        roots = [peer.root() for peer in peers]
        functions = [peer.eval("lambda f: f()") for peer in peers[5:10]]
        for peer, function in zip(peers[5:10], functions):
            call_back(peer, function)
        for peer in peers[10:15]:
            start_generator(peer)
        texts = [*BUSY.values(), BUSY["sleeping"]]
        for peer, root, text in zip(peers[:5], roots, texts):
            peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        # The main thread, fifteen requests, and this request.
        frames = "len(__import__('sys')._current_frames())"
        wait_until(lambda: observer.eval(frames) == 17, "the requests to be served")
        yield peers


@contextlib.contextmanager
def playing(function: Callable[[socket.socket], Any], *, on_all: bool = False) -> Iterator[int]:
    """Starts a server that passes each connection to `function`, in a thread; yields its port.

    on_all: the server listens on all addresses, with IPv6 and IPv4; else on 127.0.0.1.
    """
    everywhere = {"family": socket.AF_INET6, "dualstack_ipv6": True} if on_all else {}
    with socket.create_server(("::" if on_all else "127.0.0.1", 0), **everywhere) as listener:

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    function(sock)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


def zlib_bomb(size: int) -> bytes:
    """Returns a zlib stream of about a thousandth of `size`, which inflates to `size`: a multiple
    of 1 MiB."""
    block = 1 << 20
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = deflate.compress(bytes(block)) + deflate.flush(zlib.Z_FULL_FLUSH)
    adler = ((size % 65521) << 16) | 1
    end = b"\x03\x00" + struct.pack("!L", adler)
    return b"\x78\x01" + chunk * (size // block) + end


def assert_no_leaks(debuggee: Debuggee) -> None:
    """Checks that no memory has leaked, in a debuggee with the sanitizers.

    Meanwhile, a list refers to the frame objects of all threads: run_server has created some, and
    LeakSanitizer does not find the references to them in Python's own stacks.
    """
    if THREAD_SANITIZED:
        return  # ThreadSanitizer does not detect leaks
    frames = (
        "[list(__import__('traceback').walk_stack(frame))"
        " for frame in __import__('sys')._current_frames().values()]"
    )
    check = "__import__('ctypes').CDLL(None).__lsan_do_recoverable_leak_check()"
    with raw_connect(debuggee) as peer:
        leaks = peer.eval(f"({frames}, {check})[1]")
        figures.add("leaks", int(leaks))
        assert leaks == 0, debuggee.stderr()
