#!/usr/bin/env python3
"""Writes inputs for the fuzz targets to start from: make_seeds.py DIRECTORY.

Each target gets a directory of its own. What an input means is said at the top of its C file, and
what the bytes mean in doc/protocol.md. Beside those that are written here there are the recorded
ones: see corpus/README.
"""

import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

NONE = "00"
LIST = "12 080e0d6275696c74696e732e6c697374 5155"
DICT = "12 080e0d6275696c74696e732e64696374 5256"
ROOT = "12 080e06612e526f6f74 5357"

BRINE = [
    NONE, "03", "04", "05", "06", "50", "20", "ef", "01", "02",
    "0a61", "0b6162", "080a61", "08 0bc3a9", "08 0e05 68006c6c6f", "0e03616263",
    "08 0f00000002 6869", "0f00000002 6869",
    "16 1339323233333732303336383534373735383038", "16 142d39323233333732303336383534373735383038",
    "161339323233333732303336383534373735383038", "1603393030", "17 00000003 393030",
    "18 3ff8000000000000", "18 7ff8000000000000", "1b 3ff8000000000000 c000000000000000",
    "10 50", "11 50 00", "12 50 51 52", "13 50 51 52 53", "14 05 50 50 50 50 50",
    "15 00000002 50 51", "19 12 50 00 51", "1a 11 50 51", "1a 02", "11 11 11 50 51 52 53",
    "140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "
    "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05",
]  # fmt: skip

BOXES = [
    "1151" + NONE,
    "1151 080a61",
    "1151 11 50 080a61",
    "1152 02",
    "1152 10 1151 080a78",
    "1152 13 1151 51 1154" + LIST + "1152 02 1152 10 1154" + DICT,
    "1152 11 1154" + LIST + "1154" + LIST,
    "1153" + LIST,
    "1154" + ROOT,
]

# The arguments of requests, each behind its handler.
REQUESTS = [
    "51 1151 10 0b6869",
    "52 1151 02",
    "53 1151 02",
    "54 1152 11 1153" + LIST + "1151 080a61",
    "57 1152 11 1153" + LIST + "1151 02",
    "58 1152 12 1153" + LIST + "1151 080a6d 1152 10 1154" + DICT,
    "5f 1152 11 1153" + LIST + "1151 51",
    "5f 1152 10 1153" + LIST,
    "60 1151 10" + LIST,
]

# The same on the object that a client of fuzz_client shows: see there.
OURS = "12 080e0e 6c6962727079632e4f626a656374 51 160f" + "40" * 15
OWN_REQUESTS = [
    "54 1152 11 1153" + OURS + "1151 080e06636c69656e74",
    "54 1152 11 1153" + OURS + "1151 080a6d",
    "55 1152 11 1153" + OURS + "1151 080e06636c69656e74",
    "56 1152 12 1153" + OURS + "1151 080e06636c69656e74 1151 51",
    "57 1152 12 1153" + OURS + "1152 10 1154" + LIST + "1151 10 11 080a6b 51",
    "58 1152 12 1153" + OURS + "1151 080a6d 1152 10 1154" + LIST,
    *(f"{handler:02x} 1152 10 1153" + OURS for handler in (0x59, 0x5A, 0x5C, 0x5D)),
    "5b 1152 12 1153" + OURS + "1153" + OURS + "1151 080e06 5f5f65715f5f",
    "60 1151 10" + OURS,
    "5f 1152 11 1153" + OURS + "1151 51",
]

EXCEPTIONS = [
    "51",
    "13" + "11080e086275696c74696e73080e084b65794572726f72" + "10080a78" + "02" + "080e03746220",
    "13" + "11080e086275696c74696e73080e084b65794572726f72" + "1108 0a78 51"
    + "10 11 080e0a5f72656d6f74655f7462 080a74" + "080e05 6c696e650a",
    "13" + "11 080e0862696e6173636969 080e054572726f72" + "02" + "02" + "0801",
    "13 11 00 00 02 02 00",
    NONE,
]  # fmt: skip


def raw(text: str) -> bytes:
    """The bytes that hex digits stand for."""
    return bytes.fromhex(text.replace(" ", ""))


def frame(payload: bytes, *, compress: bool = False) -> bytes:
    """A payload as it goes over the wire."""
    if compress:
        payload = zlib.compress(payload, 1)
    return len(payload).to_bytes(4, "big") + bytes([compress]) + payload + b"\n"


def message(kind: int, seq: int, args: str, generation: int) -> bytes:
    """A payload: one envelope around args."""
    number = bytes([0x50 + seq]) if seq < 100 else raw("1603") + str(seq).encode()
    if generation == 5:
        return bytes([0x12, 0x50 + kind]) + number + raw(args)
    return bytes([kind, 0x11]) + number + raw(args)


def messages(generation: int) -> list[bytes]:
    """One of each kind, and with every kind of argument."""
    found = [message(1, 7, "11" + request, generation) for request in REQUESTS]
    found += [message(2, 7, box, generation) for box in BOXES]
    return found + [message(3, 7, exception, generation) for exception in EXCEPTIONS]


def client_seeds() -> list[bytes]:
    """Servers that answer in time, and with something to work with, whatever the first call is."""
    bound = bytes(7) + b"\1" + bytes(8)
    answers = {
        "objects": ["1154" + ROOT] + ["1154" + LIST, "1154" + DICT] * 40,
        "root": ["1154" + ROOT] * 80,
        "tuples": ["1154" + ROOT, *(["1154" + LIST, "1152 11 1154" + DICT + "1151 51"] * 40)],
        "values": ["1154" + ROOT, *(["1154" + LIST, "1151 51", "1151 080a61", "1151 10 51"] * 20)],
    }
    seeds = []
    for generation in 6, 5:
        for boxes in answers.values():
            said = [frame(message(2, i, box, generation)) for i, box in enumerate(boxes)]
            head = bytes([generation == 5])
            seeds += [head + bytes([first]) + b"".join(said) for first in range(10)]
            raised = [frame(message(3, i, EXCEPTIONS[i % 4], generation)) for i in range(1, 50)]
            seeds.append(head + b"\0" + said[0] + b"".join(raised))
        own = [frame(message(1, i, "11" + r, generation)) for i, r in enumerate(OWN_REQUESTS)]
        root, reply = (frame(message(2, i, "1154" + ROOT, generation)) for i in (0, 1))
        seeds += [head + b"\2" + root + request + reply for request in own]
        seeds.append(head + b"\2" + root + b"".join(own) + reply)
        asked = [frame(message(1, i, "11" + r, generation)) for i, r in enumerate(REQUESTS)]
        seeds.append(head + b"\x09" + root + b"".join(asked))
        seeds.append(head + b"\0" + b"".join(asked))
        seeds.append(head + b"\0" + frame(message(2, 0, "1154" + ROOT, generation), compress=True))
        seeds.append(head + b"\0" + frame(bound + message(2, 0, "1154" + ROOT, generation)))
    return seeds


def recorded(name: str) -> dict[str, bytes]:
    """The files of an archive in corpus/."""
    with zipfile.ZipFile(CORPUS / f"{name}.zip") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def frames(stream: bytes) -> Iterator[bytes]:
    """The frames of a stream."""
    while stream:
        end = 4 + 1 + int.from_bytes(stream[:4], "big") + 1
        yield stream[:end]
        stream = stream[end:]


def beginning(stream: bytes, size: int) -> bytes:
    """As many whole frames of a stream as there is room for."""
    kept = b""
    for each in frames(stream):
        if len(kept) + len(each) > size:
            break
        kept += each
    return kept


def recorded_seeds() -> dict[str, list[bytes]]:
    """The inputs for each target that come from recorded sessions."""
    sessions, replies = recorded("sessions"), recorded("replies")
    streams = [session[1:] for session in sessions.values()] + list(replies.values())
    payloads = {each[5:-1] for stream in streams for each in frames(stream) if len(each) < 2000}
    shortest: dict[bytes, bytes] = {}  # of those that begin in the same way
    for payload in sorted(payloads, key=lambda each: (len(each), each)):
        shortest.setdefault(payload[:24], payload)
    return {
        "server": list(sessions.values()),
        "frame": [b"\0" + beginning(stream, 8000) for stream in streams],
        "message": [b"\0" + payload for payload in shortest.values()],
        "client": [
            bytes([stream[5] == 0x12, first]) + beginning(stream, 3000)
            for stream in replies.values()
            for first in (0, 2, 9)
            if stream[5] != 0  # with bind-threads, which its client does not speak
        ],
    }


def all_seeds() -> dict[str, list[bytes]]:
    """The inputs for each target."""
    seeds = written_seeds()
    for target, more in recorded_seeds().items():
        seeds[target] = seeds.get(target, []) + more
    return seeds


def written_seeds() -> dict[str, list[bytes]]:
    """Those that are written here."""
    both = messages(6) + messages(5)
    stream = b"".join(frame(m) for m in both)
    long = b"a" * 5000
    return {
        "brine": [raw(text) for text in BRINE],
        "frame": [b"\0" + frame(m) for m in both[:4]]
        + [b"\0" + frame(m, compress=True) for m in both[:4]]
        + [b"\7" + stream[:500], b"\xff" + frame(long), b"\0" + frame(long, compress=True)]
        + [b"\0" + frame(b""), b"\1" + frame(long, compress=True) * 2],
        "message": [bytes([flag]) + m for m in both for flag in (0, 1, 2)]
        + [b"\6" + bytes(16) + messages(6)[0], b"\5" + bytes(16) + messages(5)[0]],
        "vinegar": [b"\1" + raw(text) for text in EXCEPTIONS] + [b"\0" + raw(b) for b in BOXES],
        "client": client_seeds(),
    }


def main() -> None:
    """Writes them."""
    for target, seeds in all_seeds().items():
        directory = Path(sys.argv[1], target)
        directory.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(seeds):
            (directory / f"seed-{i:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
