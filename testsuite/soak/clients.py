# SPDX-License-Identifier: BSD-3-Clause
"""The clients of the soak test: fast ones, those of stock rpyc, and those that are killed.

soak.py forks a process for each of these functions. Their arguments are the addresses of the
debuggee's servers and a random number generator. A function that ends returns the number of its
requests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from random import Random
from types import ModuleType
from typing import Any, NamedTuple

from rawpeer import EXCEPTION, REPLY, Envelope, Handler, Message, RawPeer, Ref, box, frame, unbox
from rpyc.core import brine


class Place(NamedTuple):
    """The addresses of the debuggee's servers."""

    port: int
    path: str

    def connect(self, rng: Random) -> socket.socket:
        """Returns a socket connected to one of the two servers."""
        if rng.random() < 0.5:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.path)
            return sock
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def raw_client(place: Place, rng: Random) -> RawPeer:
    """Returns a connection of either generation that sends raw messages."""
    return RawPeer(place.connect(rng), rng.choice(list(Envelope)))


def stock_rpyc(rng: Random) -> ModuleType:
    """Imports stock rpyc of either generation into this process."""
    if rng.random() < 0.5:
        for name in [name for name in sys.modules if name.split(".")[0] in ("rpyc", "plumbum")]:
            del sys.modules[name]
        sys.path.insert(0, os.environ["PYSTUCK_RPYC5"])
    import rpyc

    return rpyc


def stock_client(place: Place, rng: Random, rpyc: ModuleType, **config: Any) -> Any:
    """Returns a connection of stock rpyc, like rpyc.classic.connect."""
    stream = rpyc.SocketStream(place.connect(rng))
    return rpyc.utils.factory.connect_stream(stream, rpyc.ClassicService, config)


# ---- Connects ------------------------------------------------------------------------------------


def leave(sock: socket.socket, rng: Random) -> None:
    """Ends a connection in a random way."""
    way = rng.randrange(4)
    if way == 0:
        sock.sendall(b"\0\0\1\0\0half a frame")
    elif way == 1:  # a reset
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif way == 2:
        sock.sendall(frame(b"\xff"))
    sock.close()


def connect_often(place: Place, rng: Random, times: int) -> int:
    """Connects, gets objects that it does not release, and disconnects."""
    rpyc = stock_rpyc(rng)
    for number in range(times):
        if number % 20 == 0:
            with contextlib.closing(stock_client(place, rng, rpyc)) as client:
                assert client.eval("[1, [2]]")[1][0] == 2
        else:
            peer = raw_client(place, rng)
            assert isinstance(peer.eval("(__import__('__main__').Thing(), [5])")[0], Ref)
            leave(peer.sock, rng)
    return times


# ---- Requests, many at a time --------------------------------------------------------------------


def references_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from references_in(item)


class Pipeline:
    """Sends the same requests repeatedly, all of them before it reads the first answer."""

    def __init__(self, peer: RawPeer) -> None:
        self.peer = peer
        self.unread = b""
        root = peer.root()
        cls = peer.eval("__import__('__main__').Thing")
        thing = peer.value(Handler.CALL, cls, (5,))
        requests: list[tuple[Any, ...]] = [
            (Handler.PING, "data"),
            (Handler.PING, thing),
            (Handler.GETATTR, thing, "shared"),
            (Handler.CALL, thing, (1, "two", b"3"), (("key", 4.5),)),
            (Handler.CALLATTR, thing, "me", ()),
            (Handler.CALLATTR, root, "eval", ("(1, [2], 'three')",)),
            (Handler.CALLATTR, root, "eval", ("object()",)),
            (Handler.CALLATTR, root, "eval", ("'x' * 5000",)),
            (Handler.REPR, thing),
            (Handler.STR, "text"),
            (Handler.HASH, thing),
            (Handler.CMP, thing, 5, "__eq__"),
            (Handler.SETATTR, thing, "own", "value"),
            (Handler.DELATTR, thing, "own"),
            (Handler.DIR, root),
            (Handler.INSPECT, root.id_pack),
            (Handler.GETATTR, thing, "missing"),
            (Handler.PICKLE, (1, 2), 2),
            (Handler.BUFFITER, (1, 2, 3), 2),
            (Handler.OLDSLICING, (1, 2, 3), "__getitem__", "", 1, None, ()),
            (Handler.CTXEXIT, thing, None),
            (Handler.INSTANCECHECK, cls, thing.id_pack),
        ] * 2
        self.batch = self._frames(requests)
        self.count = len(requests)
        self.peer.sock.sendall(self.batch)
        self.expected = [self._same_each_time(self._receive()) for _ in requests]

    def _frames(self, requests: list[tuple[Any, ...]]) -> bytes:
        return b"".join(
            self.peer.request_frame(handler, box(arguments), seq)
            for seq, (handler, *arguments) in enumerate(requests)
        )

    def _receive(self) -> bytes:
        """Returns the next message unparsed."""
        while True:
            if len(self.unread) > 5:
                length, compressed = struct.unpack_from("!LB", self.unread)
                if len(self.unread) > 5 + length:
                    assert not compressed
                    payload, self.unread = self.unread[5 : 5 + length], self.unread[6 + length :]
                    return payload
            data = self.peer.sock.recv(1 << 16)
            assert data, "the server closed the connection"
            self.unread += data

    def _decode(self, payload: bytes) -> Message:
        if self.peer.envelope is Envelope.RPYC6:
            return Message(payload[0], *brine.load(payload[1:]))
        return Message(*brine.load(payload))

    def _same_each_time(self, payload: bytes) -> bytes | None:
        """Returns the constant start of an answer. None: it contains objects, which differ."""
        answer = self._decode(payload)
        if answer.kind == EXCEPTION:
            return payload[: payload.index(b"AttributeError") + 50]  # addresses follow
        assert answer.kind == REPLY
        return None if any(references_in(unbox(answer.args))) else payload

    def run(self) -> int:
        """Sends all requests once, releases the results, and returns the number of requests."""
        drops: list[tuple[Any, ...]] = []
        self.peer.sock.sendall(self.batch)
        for expected in self.expected:
            payload = self._receive()
            if expected is None:
                references = references_in(unbox(self._decode(payload).args))
                drops.extend((Handler.DEL, reference, 1) for reference in references)
            else:
                assert payload.startswith(expected), self._decode(payload)
        self.peer.sock.sendall(self._frames(drops))
        for _ in drops:
            assert self._decode(self._receive()).kind == REPLY
        return self.count + len(drops)


def request_fast(place: Place, rng: Random, times: int) -> int:
    """Makes at least `times` requests, a hundred thousand on each connection."""
    made = 0
    while made < times:
        with raw_client(place, rng) as peer:
            pipeline = Pipeline(peer)
            end = min(times, made + 100_000)
            while made < end:
                made += pipeline.run()
    return made


# ---- Requests of stock rpyc ----------------------------------------------------------------------


class Tool:
    """A client of stock rpyc, and its objects."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.execute("main = __import__('__main__')")
        self.attempt = client.eval("main.attempt")
        self.in_thread = client.eval("main.in_thread")
        self.thing = client.eval("main.Thing()")

    def call(self, rng: Random) -> None:
        n = rng.randrange(1000)
        assert self.thing(n, [n], key="v")[0][0] == n
        assert self.client.eval(f"{n} + 1") == n + 1
        assert self.thing.me() is self.thing

    def attributes(self, rng: Random) -> None:
        self.thing.own = value = "x" * rng.randrange(10_000)
        assert self.thing.own == value
        del self.thing.own
        assert not hasattr(self.thing, "own")

    def containers(self, rng: Random) -> None:
        numbers = list(range(rng.randrange(1, 10)))
        assert self.client.builtins.sum(numbers) == sum(numbers)
        assert list(self.client.eval(f"[*range({len(numbers)})]")) == numbers

    def fail(self, rng: Random) -> None:
        try:
            self.thing.fail(rng.random(), self.thing)
        except LookupError as error:
            assert error.number == 5
        else:
            raise AssertionError("no LookupError")

    def call_back(self, rng: Random) -> None:
        def down(n: int) -> Any:
            return self.attempt(down, n - 1) if n else 1 / 0

        assert self.attempt(down, rng.randrange(5))[0] == "ZeroDivisionError"
        assert self.in_thread(lambda value: value, 5) == 5

    def large(self, rng: Random) -> None:
        data = rng.randbytes(rng.randrange(1, 500_000))
        assert self.client.eval("lambda value: value")(data) == data

    def any(self, rng: Random) -> None:
        ways = [self.call, self.attributes, self.containers, self.fail, self.call_back]
        rng.choice(ways)(rng)


def requests_of(client: Any) -> int:
    """Returns how many requests a client of stock rpyc has made. The call itself uses a number."""
    return next(client._seqcounter)


def request_stock(place: Place, rng: Random, times: int) -> int:
    """Makes at least `times` requests with stock rpyc, some thousand on each connection."""
    rpyc = stock_rpyc(rng)
    made = 0
    while made < times:
        bound = {"bind_threads": rng.random() < 0.3}
        with contextlib.closing(stock_client(place, rng, rpyc, **bound)) as client:
            tool = Tool(client)
            for _ in range(100):
                tool.any(rng)
            tool.large(rng)
            made += requests_of(client)
    return made


# ---- Many at once --------------------------------------------------------------------------------


def work_when_told(place: Place, rng: Random, connected: int, go: int) -> int:
    """Connects, reports that, and works when it reads the end of file."""
    rpyc = stock_rpyc(rng)
    with contextlib.closing(stock_client(place, rng, rpyc)) as client:
        tool = Tool(client)
        os.write(connected, b"x")
        os.read(go, 1)
        for _ in range(20):
            tool.any(rng)
        return requests_of(client)


# ---- Clients that get killed ---------------------------------------------------------------------


def work_on(place: Place, rng: Random, rpyc: ModuleType) -> None:
    endlessly(Tool(stock_client(place, rng, rpyc)).any, rng)


def endlessly(function: Callable[..., object], *args: Any) -> None:
    try:
        while True:
            function(*args)
    except BaseException:  # also in a thread
        traceback.print_exc()
        os._exit(1)


def work_on_in_threads(place: Place, rng: Random, rpyc: ModuleType) -> None:
    client = stock_client(place, rng, rpyc, bind_threads=True)
    for _ in range(3):
        arguments = (Tool(client).any, Random(rng.random()))
        threading.Thread(target=endlessly, args=arguments).start()
    endlessly(Tool(client).any, rng)


def be_called(place: Place, rng: Random, rpyc: ModuleType) -> None:
    """Makes threads of the debuggee call this client repeatedly."""
    client = stock_client(place, rng, rpyc)
    client.execute(
        "import threading\n"
        "def call(f):\n"
        "    try:\n"
        "        while True:\n"
        "            f([1])\n"
        "    except EOFError:\n"
        "        pass\n"
        "def start(f):\n"
        "    threading.Thread(target=call, args=(f,), daemon=True).start()\n"
    )
    for _ in range(rng.randrange(1, 4)):
        client.namespace["start"](len)
    client.serve_all()


def block(place: Place, rng: Random, rpyc: ModuleType) -> None:
    """Waits in the debuggee for `gate`, which soak.py opens after it has killed this client."""
    client = stock_client(place, rng, rpyc, bind_threads=rng.random() < 0.5)
    tool = Tool(client)
    held = [client.eval("main.Thing()") for _ in range(3)]
    rpyc.async_(client.eval("main.wait"))(held, tool.call)
    tool.call(rng)


def be_large(place: Place, rng: Random, rpyc: ModuleType) -> None:
    client = stock_client(place, rng, rpyc)
    echo = client.eval("lambda value: value")
    while True:
        echo(rng.randbytes(rng.randrange(100_000, 4_000_000)))


def be_half(place: Place, rng: Random, _: ModuleType) -> None:
    """Sends a part of a frame and stops."""
    peer = raw_client(place, rng)
    request = peer.request_frame(Handler.CALLATTR, box((peer.root(), "eval", ("[" * 500,))))
    peer.sock.sendall(request[: rng.randrange(1, len(request))])
    signal.pause()


def not_listen(place: Place, rng: Random, _: ModuleType) -> None:
    """Reads no answers, so that the server blocks while it sends."""
    peer = raw_client(place, rng)
    data = peer.request_frame(Handler.CALLATTR, box((peer.root(), "eval", ("'x' * 100000",))))
    while True:
        peer.sock.sendall(data)


def come_and_go(place: Place, rng: Random, _: ModuleType) -> None:
    while True:
        peer = raw_client(place, rng)
        peer.eval("[__import__('__main__').Thing()]")
        leave(peer.sock, rng)


def pipeline_on(place: Place, rng: Random, _: ModuleType) -> None:
    endlessly(Pipeline(raw_client(place, rng)).run)


DOOMED: list[Callable[..., None]] = [
    *(work_on, work_on_in_threads, be_called, block, be_large, be_half),
    *(not_listen, come_and_go, pipeline_on),
]


def wait_for_death(place: Place, rng: Random, number: int) -> int:
    """Does one of these at random until it is killed."""
    rpyc = stock_rpyc(rng)
    DOOMED[number % len(DOOMED)](place, rng, rpyc)
    while True:
        signal.pause()
