# SPDX-License-Identifier: BSD-3-Clause
"""Writes and reads the wire format for prober.py. It is written from doc/protocol.md only.

Nothing here may be copied from the C code, from rpyc or from the other tests. Otherwise prober.py
would not find an error that all of them share.
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

REQUEST, REPLY, EXCEPTION = 1, 2, 3
VALUE, TUPLE, LOCAL_REF, REMOTE_REF = 1, 2, 3, 4

PING, CLOSE, GETROOT, GETATTR, DELATTR, SETATTR, CALL, CALLATTR, REPR, STR = range(1, 11)
CMP, HASH, DIR, PICKLE, DEL, INSPECT, BUFFITER, OLDSLICING, CTXEXIT, INSTANCECHECK = range(11, 21)
STACKS = 0x70

#: The id of the thread that sends all requests of the prober, with bind-threads.
THREAD = 0x7A7A

Pack = tuple[str, int, int]


class Malformed(Exception):
    """Raised for bytes that protocol.md does not allow."""


class Raw(bytes):
    """Encoded bytes in place of a value: dump() writes them unchanged."""


@dataclass(frozen=True)
class Theirs:
    """An object of the server."""

    pack: Pack


@dataclass(frozen=True)
class Mine:
    """An object of the prober."""

    pack: Pack


# ---- Brine ---------------------------------------------------------------------------------------

SINGLE = {0x00: None, 0x01: b"", 0x02: (), 0x03: True, 0x04: False}
SINGLE |= {0x05: NotImplemented, 0x06: Ellipsis}


def sized(n8: int, size: int) -> list[bytes]:
    """Returns the encodings of a length: tag n8 with one byte, and tag n8 + 1 with four bytes."""
    short = [struct.pack(">BB", n8, size)] if size < 256 else []
    return [*short, struct.pack(">BI", n8 + 1, size)]


def bytes_spellings(value: bytes) -> list[bytes]:
    """Returns all encodings of a bytes value, the shortest first."""
    fixed = [bytes([(0x01, 0x0A, 0x0B, 0x0C, 0x0D)[len(value)]])] if len(value) <= 4 else []
    return [head + value for head in fixed + sized(0x0E, len(value))]


def tuple_spellings(value: tuple[Any, ...]) -> list[bytes]:
    """Returns all encodings of a tuple, the shortest first. Each item has its shortest encoding."""
    fixed = [bytes([(0x02, 0x10, 0x11, 0x12, 0x13)[len(value)]])] if len(value) <= 4 else []
    items = b"".join(map(dump, value))
    return [head + items for head in fixed + sized(0x14, len(value))]


def int_spellings(value: int) -> list[bytes]:
    """Returns all encodings of an int, the shortest first; those of Python 2 are the last ones."""
    text = b"%d" % value
    short = [bytes([value + 0x50])] if -48 <= value <= 159 else []
    ways = short + [head + text for head in sized(0x16, len(text))]
    return ways + [b"\x09" + way for way in ways]


def spellings(value: Any) -> list[bytes]:
    """Returns all encodings of a value, the shortest first."""
    kind = type(value)
    if kind is Raw:
        return [bytes(value)]
    if kind is int:
        return int_spellings(value)
    if kind is bytes:
        return bytes_spellings(value)
    if kind is str:
        return [b"\x08" + way for way in bytes_spellings(value.encode())]
    if kind is tuple:
        return tuple_spellings(value)
    if kind is slice:
        return [b"\x19" + way for way in tuple_spellings((value.start, value.stop, value.step))]
    if kind is frozenset:
        return [b"\x1a" + way for way in tuple_spellings(tuple(sorted(value, key=dump)))]
    if kind is float:
        return [struct.pack(">Bd", 0x18, value)]
    if kind is complex:
        return [struct.pack(">Bdd", 0x1B, value.real, value.imag)]
    for tag, single in SINGLE.items():
        if value is single:
            return [bytes([tag])]
    raise TypeError(f"cannot be encoded: {value!r}")


def dump(value: Any) -> bytes:
    """Returns the shortest encoding of a value. Only equal values have the same one."""
    return spellings(value)[0]


def is_dumpable(value: Any) -> bool:
    """Returns True if the value can be sent as brine: it contains no objects."""
    if type(value) in (tuple, frozenset):
        return all(map(is_dumpable, value))
    return not isinstance(value, (Theirs, Mine))


class Reader:
    """Reads values from brine. Raises Malformed for all that protocol.md does not allow."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes."""
        taken = self.data[self.position : self.position + size]
        if len(taken) < size:
            raise Malformed(f"a length of {size} bytes, but only {len(taken)} bytes are left")
        self.position += size
        return taken

    def number(self, layout: str) -> Any:
        """Returns the next number. layout: its format for the module struct."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def items(self, count: int) -> tuple[Any, ...]:
        """Returns the next `count` values."""
        return tuple(self.value() for _ in range(count))

    def of_type(self, kind: type) -> Any:
        """Returns the next value, which must be of this type."""
        value = self.value()
        if type(value) is not kind:
            raise Malformed(f"{value!r:.80} in place of a {kind.__name__}")
        return value

    def value(self) -> Any:
        """Returns the next value, of any type."""
        tag = self.number(">B")
        if tag in SINGLE:
            return SINGLE[tag]
        if 0x20 <= tag <= 0xEF:
            return tag - 0x50
        if 0x0A <= tag <= 0x0D:
            return self.take(tag - 0x09)
        if 0x10 <= tag <= 0x13:
            return self.items(tag - 0x0F)
        if tag in self.READERS:
            return self.READERS[tag](self)
        raise Malformed(f"no value begins with {tag:#04x}")

    def read_str(self) -> str:
        """Reads a str, behind its tag 08."""
        try:
            return self.of_type(bytes).decode()
        except UnicodeDecodeError as error:
            raise Malformed(str(error)) from error

    def read_int(self, size: int) -> int:
        """Reads an int of `size` digits, behind its tag (16 or 17) and length."""
        digits = self.take(size)
        if not re.fullmatch(rb"[+-]?[0-9]+", digits):
            raise Malformed(f"{digits!r:.80} is not an int")
        return parse_int(digits)

    def read_slice(self) -> slice:
        """Reads a slice, behind its tag 19."""
        ends = self.of_type(tuple)
        if len(ends) != 3:
            raise Malformed(f"a slice of {len(ends)} items")
        return slice(*ends)

    def read_frozenset(self) -> frozenset[Any]:
        """Reads a frozenset, behind its tag 1a."""
        try:
            return frozenset(self.of_type(tuple))
        except TypeError as error:
            raise Malformed(str(error)) from error

    READERS = {
        0x08: read_str,
        0x09: lambda self: self.of_type(int),
        0x0E: lambda self: self.take(self.number(">B")),
        0x0F: lambda self: self.take(self.number(">I")),
        0x14: lambda self: self.items(self.number(">B")),
        0x15: lambda self: self.items(self.number(">I")),
        0x16: lambda self: self.read_int(self.number(">B")),
        0x17: lambda self: self.read_int(self.number(">I")),
        0x18: lambda self: self.number(">d"),
        0x19: read_slice,
        0x1A: read_frozenset,
        0x1B: lambda self: complex(self.number(">d"), self.number(">d")),
    }


def parse_int(digits: bytes) -> int:
    """Converts digits to an int. Unlike int(), has no limit of 4300 digits."""
    if len(digits) < 4000:
        return int(digits)
    sign, digits = (-1, digits[1:]) if digits.startswith(b"-") else (1, digits.lstrip(b"+"))
    number = 0
    for start in range(0, len(digits), 1000):
        part = digits[start : start + 1000]
        number = number * 10 ** len(part) + int(part)
    return sign * number


def load(data: bytes) -> Any:
    """Returns the value that the bytes encode. There must be no bytes after the value."""
    reader = Reader(data)
    try:
        value = reader.value()
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    if reader.position < len(data):
        raise Malformed(f"{len(data) - reader.position} bytes after the value")
    return value


# ---- Boxes ---------------------------------------------------------------------------------------


def box(value: Any) -> tuple[int, Any]:
    """Returns the box of a value: its label, and the value or id pack."""
    if isinstance(value, Theirs):
        return LOCAL_REF, value.pack
    if isinstance(value, Mine):
        return REMOTE_REF, value.pack
    if is_dumpable(value):
        return VALUE, value
    return TUPLE, tuple(map(box, value))


def is_pack(pack: Any) -> bool:
    """Returns True if pack is a tuple (name, class id, instance id)."""
    return type(pack) is tuple and [type(part) for part in pack] == [str, int, int]


def unbox(boxed: Any) -> Any:
    """Returns the value in a box from the server. Raises Malformed for an invalid box."""
    if type(boxed) is not tuple or len(boxed) != 2:
        raise Malformed(f"{boxed!r:.80} is not a pair")
    label, value = boxed
    if label == VALUE:
        return value
    if label == TUPLE and type(value) is tuple:
        items = tuple(map(unbox, value))
        if is_dumpable(items):
            raise Malformed(f"{boxed!r:.80} has only items that are sent by value")
        return items
    if label == LOCAL_REF and type(value) is tuple and len(value) == 3:
        return Mine(value)  # the prober has sent this id pack; it may be invalid
    if label == REMOTE_REF and is_pack(value):
        return Theirs(value)
    raise Malformed(f"{boxed!r:.80} has an unknown label or invalid content")


# ---- Frames and envelopes ------------------------------------------------------------------------


def frame(payload: bytes, flag: int | None = None, length: int | None = None) -> bytes:
    """Returns the frame of a payload.

    flag 1 compresses the payload. Other flags, and a length, are written into the header although
    they are wrong.
    """
    if flag is None:
        flag = int(len(payload) > 3000)
    if flag == 1:
        payload = zlib.compress(payload, 1)
    return raw_frame(payload, flag, length)


def raw_frame(content: bytes, flag: int, length: int | None = None, end: bytes = b"\n") -> bytes:
    """Returns a frame with this content and header, which need not match."""
    return struct.pack(">IB", len(content) if length is None else length, flag) + content + end


def split_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Splits a stream. Returns (flag, content) of each whole frame, and the other bytes."""
    frames = []
    while len(data) >= 5:
        length, flag = struct.unpack(">IB", data[:5])
        if len(data) < length + 6:
            break
        frames.append((flag, data[5 : 5 + length]))
        data = data[length + 6 :]
    return frames, data


def payload_of(flag: int, content: bytes) -> bytes:
    """Returns the payload in a frame."""
    if flag == 0:
        return content
    if flag != 1:
        raise Malformed(f"a frame with a flag of {flag}")
    inflate = zlib.decompressobj()
    try:
        payload = inflate.decompress(content)
    except zlib.error as error:
        raise Malformed(str(error)) from error
    if not inflate.eof or inflate.unused_data:
        raise Malformed("incomplete compressed data, or bytes after it")
    return payload


def zlib_bomb(size: int) -> bytes:
    """Returns `size` zeros, compressed to about a thousandth. Is fast for any size."""
    block = 1 << 20
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(bytes(block)) + deflate.flush(zlib.Z_FULL_FLUSH)
    count = -(-size // block)
    adler = (count * block % 65521) << 16 | 1  # the checksum of zeros
    return b"\x78\xda" + packed * count + b"\x03\x00" + struct.pack(">I", adler)


class Message(NamedTuple):
    """A message. With bind-threads, thread is the sender's thread and to is the recipient's."""

    kind: Any
    seq: Any
    args: Any
    thread: int = 0
    to: int = 0


class Envelope(NamedTuple):
    """The form of messages. generation: 5 for rpyc 4.1 to 5.3.1, 6 from rpyc 6.0 on."""

    generation: int
    bound: bool = False

    def __str__(self) -> str:
        return f"{'4.1-5.3' if self.generation == 5 else '6.0-'}{', bound' * self.bound}"

    def payload(self, kind: Any, seq: Any, args: Any, to: int = 0) -> bytes:
        """Returns the payload of a message."""
        prefix = struct.pack(">QQ", THREAD, to) if self.bound else b""
        if self.generation == 5:
            return prefix + dump((kind, seq, args))
        return prefix + (kind if type(kind) is Raw else bytes([kind])) + dump((seq, args))

    def message(self, payload: bytes) -> Message:
        """Returns the message in a payload."""
        thread = recipient = 0
        if self.bound:
            head, payload = payload[:16], payload[16:]
            if len(head) < 16:
                raise Malformed(f"{len(head)} bytes in place of thread ids")
            thread, recipient = struct.unpack(">QQ", head)
        if self.generation == 5:
            parts = load(payload)
        else:
            parts = load(payload[1:])
            parts = (payload[0], *parts) if type(parts) is tuple else None
        if type(parts) is not tuple or len(parts) != 3:
            raise Malformed(f"{payload!r:.80} is not a message")
        return Message(*parts, thread, recipient)


ENVELOPES = [Envelope(5), Envelope(6), Envelope(5, True), Envelope(6, True)]


# ---- Values --------------------------------------------------------------------------------------


def interesting_values() -> Iterator[Any]:
    """Yields values of all types: the smallest and largest of each encoding, and neighbours."""
    yield from (None, True, False, NotImplemented, Ellipsis)
    sizes = (0, 1, 2, 3, 4, 5, 254, 255, 256, 257, 2990, 3010, 65535, 65536)
    yield from ((b"\x00\xff\n" * 30000)[:size] for size in sizes)
    yield from (("a\x00\n\x7f" * 20000)[:size] for size in sizes)
    yield from ("\x80", "é" * 127, "é" * 128, "\u07ff\u0800\uffff", "\ud7ff\ue000", "\U00010000")
    yield from ("\U0010ffff" * 64, "\ufeff", "\u2028")
    yield from (tuple(range(size)) for size in sizes[:10])
    yield (None,) * 65536
    edges = (0, 48, 49, 50, 159, 160, 161, 255, 256, 1 << 15, 1 << 31, 1 << 32, 1 << 53, 1 << 63)
    for edge, step, sign in itertools.product((*edges, 1 << 64, 1 << 200), (-1, 0, 1), (1, -1)):
        yield sign * (edge + step)
    yield from (sign * 10**digits for digits in (253, 254, 255, 256, 4299) for sign in (1, -1))
    yield from (10**4300 - 1, 1 - 10**4300)
    inf, nan = float("inf"), float("nan")
    floats = (0.0, -0.0, 1.5, -1.5, inf, -inf, nan, -nan, 5e-324, 2.2250738585072014e-308)
    yield from (*floats, 1.7976931348623157e308, struct.unpack(">d", b"\x7f\xf8" + b"\x01" * 6)[0])
    yield from (complex(real, imag) for real in (0.0, -0.0, nan, inf) for imag in (-0.0, 1, -inf))
    yield from (slice(None), slice(1, 2, 3), slice("a", (b"b", None), -1.5), slice(slice(1), 2, 3))
    yield from (frozenset(), frozenset({1}), frozenset("abc"), frozenset(range(300)))
    yield from (frozenset({frozenset(), (frozenset({None}),)}), (1, ("a", (b"b", (2.5, (None,))))))
    yield from (nested(depth) for depth in (1, 2, 5, 50, 100, 150))


def nested(depth: int) -> tuple[Any, ...]:
    """Returns an empty tuple inside `depth` other tuples."""
    value: tuple[Any, ...] = ()
    for _ in range(depth):
        value = (value,)
    return value
