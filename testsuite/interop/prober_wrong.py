# SPDX-License-Identifier: BSD-3-Clause
"""Invalid input of prober.py: frames, compression, brine, first frames; connections that end.

The allowed reactions are an exception or a closed connection (BAD). They include a reply if a
server may understand the input (ODD). A server need not react to input that requires no answer
(UNANSWERABLE).
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Union

from prober_peer import ANSWERED, BAD, ODD, Peer, Probe, require
from prober_wire import (
    CALLATTR,
    GETROOT,
    LOCAL_REF,
    PING,
    REMOTE_REF,
    REQUEST,
    TUPLE,
    Envelope,
    Mine,
    Raw,
    box,
    dump,
    frame,
    raw_frame,
    spellings,
    split_frames,
    zlib_bomb,
)

#: All groups of probes with invalid input. prober_messages.py and prober_answers.py add groups.
GROUPS: dict[str, Callable[[], Iterator[Probe]]] = {}

#: The groups that are run only once, because they do not depend on the envelope.
ONCE = ("first frames",)

#: The number of the invalid request.
SEQ = 77

MIB = 1 << 20

FUNCTION = Mine(("prober.Function", 71, 72))

Sent = Union[bytes, Callable[[Peer], bytes]]


def group(name: str) -> Callable[[Callable[[], Iterator[Probe]]], Callable[[], Iterator[Probe]]]:
    """Adds the decorated function, which yields probes, to GROUPS."""

    def add(function: Callable[[], Iterator[Probe]]) -> Callable[[], Iterator[Probe]]:
        GROUPS[name] = function
        return function

    return add


def sends(name: str, data: Sent, allowed: Iterable[str] = BAD, seq: Any = SEQ) -> Probe:
    """Returns a probe that sends `data` and checks the reaction."""

    def run(peer: Peer) -> None:
        peer.expect(data(peer) if callable(data) else data, allowed, seq)

    return Probe(name, run)


def asks(name: str, args: Callable[[Peer], Any], allowed: Iterable[str] = BAD) -> Probe:
    """Returns a probe that sends a request; args(peer) makes the handler and its arguments."""
    return sends(name, lambda peer: peer.message(REQUEST, SEQ, args(peer)), allowed)


# ---- Frames --------------------------------------------------------------------------------------


def ping_payload(peer: Peer, data: Any = b"abc" * 20) -> bytes:
    """Returns the payload of a valid PING request."""
    return peer.envelope.payload(REQUEST, SEQ, (PING, box((data,))))


def framed(name: str, make: Callable[[bytes], bytes], allowed: Iterable[str] = BAD) -> Probe:
    """Returns a probe that sends a valid payload in the frame that `make` returns."""
    return sends(name, lambda peer: make(ping_payload(peer)), allowed)


def closes_at_once(size: int) -> Probe:
    """Returns a probe that sends the header of a frame with an invalid length.

    The server must close the connection without waiting for the payload.
    """

    def run(peer: Peer) -> None:
        if not peer.stock:  # "Stock has no limit on length"
            peer.send(struct.pack(">IB", size, 0) + b"\xff")
            require(peer.next_answer() is None, "the server sends an answer")

    return Probe(f"a length of {size}", run)


@group("frames")
def frames() -> Iterator[Probe]:
    yield from (closes_at_once(size) for size in (256 * MIB + 1, 1 << 31, (1 << 32) - 1))
    yield sends("an empty payload", raw_frame(b"", 0))
    yield sends("an empty payload, compressed", frame(b"", 1))
    for more in (1, 2, 255, 1 << 16, 1 << 20):
        # One or two bytes of the next frame then become bytes after the message.
        allowed = ODD if more <= 2 else BAD
        yield framed(f"size + {more}", lambda it, n=more: frame(it, 0, len(it) + n), allowed)
    for less in (1, 2, 10, 60):
        yield framed(f"size - {less}", lambda it, n=less: frame(it, 0, len(it) - n))
    for flag in (2, 3, 0x0A, 0x7F, 0x80, 0xFF):
        yield framed(f"flag {flag}", lambda it, n=flag: raw_frame(it, n), ODD)
        name = f"flag {flag}, compressed"
        yield framed(name, lambda it, n=flag: raw_frame(zlib.compress(it), n), ODD)
    for end in (b"", b"\0", b"\r", b"\n\n", b"\r\n"):  # "Stock never checks the newline"
        yield framed(f"an end of {end!r}", lambda it, e=end: raw_frame(it, 0, end=e), ODD)


@group("compression")
def compression() -> Iterator[Probe]:
    yield framed("not compressed at all", lambda it: raw_frame(it, 1))
    yield framed("raw deflate", lambda it: raw_frame(zlib.compress(it)[2:-4], 1))
    yield framed("a gzip stream", lambda it: raw_frame(gzipped(it), 1))
    yield framed("a dictionary", lambda it: raw_frame(b"\x78\xbb\0\0\0\1" + it, 1))
    yield framed("bytes after the stream", lambda it: raw_frame(zlib.compress(it) + b"x", 1), ODD)
    yield framed("two streams", lambda it: raw_frame(zlib.compress(it) * 2, 1), ODD)
    yield framed("a block of an invalid type", lambda it: raw_frame(b"\x78\x01\x07" + it, 1))
    yield framed(
        "a stored block that is too long", lambda it: raw_frame(b"\x78\x01\x01\xff\xff\0\0", 1)
    )
    for at in range(40):
        yield framed(f"cut off at {at}", lambda it, n=at: raw_frame(cut(it, n), 1))
        yield framed(f"byte {at} inverted", lambda it, n=at: raw_frame(inverted(it, n), 1))
    for size in (257, 1024, 8192):
        yield Probe(f"{size} MiB of zeros", functools.partial(bomb, size))


def gzipped(data: bytes) -> bytes:
    """Returns the data in gzip format."""
    deflate = zlib.compressobj(wbits=31)
    return deflate.compress(data) + deflate.flush()


def cut(data: bytes, at: int) -> bytes:
    """Returns the first `at` bytes of the compressed data, but never all of it."""
    whole = zlib.compress(data)
    return whole[: min(at, len(whole) - 1)]


def inverted(data: bytes, at: int) -> bytes:
    """Returns compressed data in which all bits of one byte are inverted."""
    whole = bytearray(zlib.compress(data))
    whole[at % len(whole)] ^= 0xFF
    return bytes(whole)


def bomb(size: int, peer: Peer) -> None:
    """Sends compressed zeros that are longer than the limit when they are decompressed."""
    if not peer.stock:  # stock has no limit
        peer.expect(raw_frame(zlib_bomb(size * MIB), 1), BAD)


# ---- Brine ---------------------------------------------------------------------------------------

#: Values that together use each tag of brine.
EXAMPLES: list[Any] = [
    *(b"", b"a", b"ab", b"abc", b"abcd", b"abcde", "", "a", "é", "abcdef", (), (1,), (1, None)),
    *((1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5), 0, 159, 160, -49, 1 << 70, 1.5, 2j, slice(1, 2, 3)),
    *(frozenset({1}), frozenset("ab"), ((("deep",),),)),
]

INT_TEXTS = [b"", b"-", b"+", b"1.0", b"0x1", b"1e5", b"a", b"1 2", b"\xb2", b"1\0", b"--1", b"1L"]
#: Python's int() accepts these.
ODD_INT_TEXTS = [b"+1", b" 1", b"1 ", b"1\n", b"1_0", b"007", b"-0", "\u0661".encode()]

BAD_UTF8 = [b"\x80", b"\xff", b"\xc0\x80", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]


def truncations() -> Iterator[tuple[str, bytes]]:
    """Yields the names and bytes of incomplete values."""
    for value in EXAMPLES:
        for way in spellings(value):
            for end in range(len(way)):
                yield f"{way[:end].hex(' ')} of {way.hex(' ')}", way[:end]


def lies() -> Iterator[tuple[str, bytes]]:
    """Yields names and bytes with lengths that are larger than the rest of the data."""
    for tag in (0x0F, 0x15, 0x17):
        for before in (b"", b"\x08", b"\x19", b"\x1a", b"\x09"):
            for size in (4, 255, 1 << 16, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
                way = before + struct.pack(">BI", tag, size) + b"123"
                yield f"{size} items in {way.hex(' ')}", way
    for tag in (0x0E, 0x14, 0x16):
        for size in (4, 127, 128, 255):
            way = bytes([tag, size]) + b"123"
            yield f"{size} items in {way.hex(' ')}", way
    yield "nested tuples of 2**32 - 1 items", b"\x15\xff\xff\xff\xff" * 10


def nonsense() -> Iterator[tuple[str, bytes]]:
    """Yields names and bytes of invalid values."""
    for tag in (0x07, *range(0x1C, 0x20), *range(0xF0, 0x100)):
        yield f"tag {tag:#04x}", bytes([tag])
        yield f"tag {tag:#04x} with bytes after it", bytes([tag]) + b"\x0b\x01\x01\x01"
        yield f"tag {tag:#04x} in a tuple", bytes([0x10, tag])
    yield from misplaced()
    for text in INT_TEXTS:
        yield f"an int that is {text!r}", bytes([0x16, len(text)]) + text
        yield (
            f"an int that is {text!r}, with a long length",
            struct.pack(">BI", 0x17, len(text)) + text,
        )
    for text in BAD_UTF8:
        yield f"a str that is {text!r}", b"\x08" + dump(text)
        yield (
            f"a str that is {text!r}, between valid text",
            b"\x10\x08" + dump(b"abcd" + text + b"efgh"),
        )
    for item in ("08 50", "19 10 50", "1a 50", "1a 10 1a 50", "19 12 50 50 07", "10 10 10 10 07"):
        yield item, bytes.fromhex(item)


def misplaced() -> Iterator[tuple[str, bytes]]:
    """Yields names and bytes with a value of a type that is invalid after the tag."""
    for tag, kind in ((0x08, bytes), (0x09, int), (0x19, tuple), (0x1A, tuple)):
        for value in (None, True, 5, 1 << 70, 1.5, b"ab", "ab", (1, 2), (1, 2, 3), frozenset({1})):
            if type(value) is not kind or (tag == 0x19 and len(value) != 3):
                yield f"tag {tag:#04x} before {value!r}", bytes([tag]) + dump(value)


#: The places for an invalid value, and the number that the answer must have; ...: any number.
PLACES: dict[str, tuple[Callable[[Peer, Raw], bytes], Any]] = {
    "as data": (lambda peer, raw: peer.message(REQUEST, SEQ, (PING, box((raw,)))), SEQ),
    "as the message": (lambda peer, raw: frame(message_of(peer.envelope, raw)), ...),
}


def message_of(envelope: Envelope, raw: bytes) -> bytes:
    """Returns a payload with `raw` in place of the brine; 6.0 has the kind before the brine."""
    return raw if envelope.generation == 5 else bytes([REQUEST]) + raw


@group("brine")
def bad_brine() -> Iterator[Probe]:
    for place, (put, seq) in PLACES.items():
        for name, way in (*truncations(), *lies(), *nonsense()):
            yield sends(f"{name} {place}", lambda peer, p=put, w=way: p(peer, Raw(w)), BAD, seq)
    for name, way in nonsense():
        yield sends(f"{name} as the request number", functools.partial(numbered, way), seq=...)
    for text in BAD_UTF8:
        pack = Raw(b"\x12\x08" + dump(b"prober." + text) + dump(71) + dump(72))
        name = f"{text!r} in the name of an object of the prober"
        yield asks(name, lambda peer, p=pack: (PING, (TUPLE, ((REMOTE_REF, p),))))
    for text in ODD_INT_TEXTS:
        way = Raw(bytes([0x16, len(text)]) + text)
        yield asks(f"an int that is {text!r}", lambda peer, w=way: (PING, box((w,))), ODD)


def numbered(way: bytes, peer: Peer) -> bytes:
    """Returns a request whose number is the given brine."""
    return peer.message(REQUEST, Raw(way), (PING, box((1,))))


#: Brine of nested values: the start and the end of each level, and the innermost value.
NESTS = {
    "tuples": (b"\x10", b"\x50", b""),
    "tuples with n8": (b"\x14\x01", b"\x02", b""),
    "tuples with n32": (b"\x15\0\0\0\1", b"\x02", b""),
    "frozensets": (b"\x1a\x10", b"\x50", b""),
    "slices": (b"\x19\x12", b"\x50", b"\x00\x00"),
}

#: The number of nested levels that every server accepts. doc/security.md has the limit of pystuck.
SHALLOW = 150


@group("depth")
def depth() -> Iterator[Probe]:
    for levels in (1, 2, 10, 100, SHALLOW, 250, 500, 1000, 10_000, 100_000):
        for form, (start, middle, end) in NESTS.items():
            way = Raw(start * levels + middle + end * levels)
            allowed = BAD if levels > SHALLOW else ODD if form == "slices" else {ANSWERED}
            yield asks(f"{levels} {form}", lambda peer, w=way: (PING, box((w,))), allowed)
            yield asks(f"{levels} {form} as arguments", lambda peer, w=way: (PING, w))
            yield asks(f"{levels} {form} as an id pack", lambda peer, w=way: (PING, (LOCAL_REF, w)))
        for tag in (0x08, 0x09, 0x19, 0x1A):
            way = Raw(bytes([tag]) * levels)
            yield asks(f"{levels} tags {tag:#04x}", lambda peer, w=way: (PING, box((w,))))
        boxes = Raw(b"\x11\x52\x10" * levels + b"\x11\x51\x50")
        allowed = BAD if levels > SHALLOW else ODD
        yield asks(f"{levels} boxes", lambda peer, b=boxes: (PING, b), allowed)


# ---- First frames --------------------------------------------------------------------------------


@group("first frames")
def first_frames() -> Iterator[Probe]:
    for byte in range(256):
        for more in (b"", b"\x11\x50", bytes(30)):
            data = frame(bytes([byte]) + more, 0)
            yield newcomer_sends(f"{byte:#04x} first, then {more.hex()}", data)
    for size in (*range(1, 18), 24, 32):
        yield newcomer_sends(f"{size} zeros in a frame", frame(bytes(size), 0))
        yield newcomer_sends(f"{size} zeros, compressed", frame(bytes(size), 1))
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"SSH-2.0-x\r\n"):
        yield newcomer_sends(repr(text), text)
        yield newcomer_sends(f"{text!r}, 1000 times", text * 1000)
    for size in range(1, 16):
        yield newcomer_sends(f"{size} zeros", bytes(size))
        yield newcomer_sends(f"{size} times ff", b"\xff" * size)


def newcomer_sends(name: str, data: bytes) -> Probe:
    """Returns a probe that sends data on a new connection, and waits for an answer or the end."""

    def run(peer: Peer) -> None:
        with peer.newcomer() as newcomer:
            newcomer.send(data)
            peer.sent = data
            asks_nothing = data[5:6] in (b"\x02", b"\x03")  # a reply or an exception of 6.0
            is_empty = data.startswith(bytes(4))  # stock ignores empty frames
            if split_frames(data)[1] or asks_nothing or (peer.stock and is_empty):
                newcomer.half_close()
                while newcomer.read():
                    pass
            newcomer.read()

    return Probe(name, run)


# ---- Ends ----------------------------------------------------------------------------------------


def session(envelope: Envelope, root: Any) -> bytes:
    """Returns the first requests of a client."""
    requests = ((GETROOT, ()), (CALLATTR, (root, "eval", ("[1]",))), (PING, ("x" * 20,)))
    return b"".join(
        frame(envelope.payload(REQUEST, seq, (handler, box(args))))
        for seq, (handler, args) in enumerate(requests)
    )


def end(peer: Peer, way: str) -> None:
    """Ends a connection in this way."""
    if way == "half a close":
        peer.half_close()
        while peer.read():
            pass
    if way == "a reset":
        peer.reset()
    peer.sock.close()


@group("ends")
def ends() -> Iterator[Probe]:
    for way in ("half a close", "a reset", "a close"):
        for at in range(160):
            yield Probe(f"{way} after {at} bytes", functools.partial(end_at, at, way))
        yield Probe(f"{way} in the middle of an answer", functools.partial(end_in_an_answer, way))


def end_at(at: int, way: str, peer: Peer) -> None:
    """Ends a connection after the first `at` bytes of a session."""
    with peer.newcomer() as newcomer:
        newcomer.send(session(peer.envelope, peer.root)[:at])
        end(newcomer, way)


def end_in_an_answer(way: str, peer: Peer) -> None:
    """Ends a connection after reading a part of an answer."""
    peer.send(peer.frame_of(CALLATTR, peer.root, "eval", ("b'x' * 10_000_000",)) * 3)
    require(peer.sock.recv(10) != b"", "no answer")
    end(peer, way)
