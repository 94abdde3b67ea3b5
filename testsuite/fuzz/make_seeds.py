#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets: make_seeds.py DIRECTORY.

Each target gets a directory of its own. What an input means is said at the top of its C file, and
what the bytes mean in doc/protocol.md. Beside those that are written here there are the recorded
ones: see corpus/README.
"""

import struct
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

# Requests: each has a handler and its arguments.
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

# Requests to the object that the client in fuzz_client.c passes to the server.
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


#: Lines for the prompt.
TYPED = [
    "modules['sys'].x(1, a=[2.5, {3: b'x', **y}], *z)[1:2, ::3];",
    "x.y[0] = (1, 'a\\x41\\N', -2j, {1, 2}, None, 0x1f, r'\\')",
    "import os.path as p",
    "del _[1].f_locals['a']",
    "x = 'a\\",
]

#: Addresses on the command line.
TARGETS = [
    "7101",
    "host",
    "127.0.0.1:7101",
    "::1",
    "[::1]:7101",
    "[fe80::1%lo]",
    "unix:/run/app.sock",
    "unix:@name",
    "/run/app.sock",
    "a:b:1",
    "host:70000",
]

#: The kernel's tables of sockets: tcp, tcp6 and unix.
TABLES = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "   0: 0100007F:1A0A 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000     0 77\n",
    "  sl  local_address                         remote_address                        st\n"
    "   0: 00000000000000000000000001000000:1A0A 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 78\n",
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 79 /run/a b.sock\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 80 @abstract\n",
]


def raw(text: str) -> bytes:
    """Converts hex digits to bytes."""
    return bytes.fromhex(text.replace(" ", ""))


def frame(payload: bytes, *, compress: bool = False) -> bytes:
    """Returns the frame of a payload."""
    if compress:
        payload = zlib.compress(payload, 1)
    return len(payload).to_bytes(4, "big") + bytes([compress]) + payload + b"\n"


def message(kind: int, seq: int, args: str, generation: int) -> bytes:
    """Returns a payload: an envelope with args."""
    number = bytes([0x50 + seq]) if seq < 100 else raw("1603") + str(seq).encode()
    if generation == 5:
        return bytes([0x12, 0x50 + kind]) + number + raw(args)
    return bytes([kind, 0x11]) + number + raw(args)


def messages(generation: int) -> list[bytes]:
    """Messages of each kind, and with each kind of argument."""
    found = [message(1, 7, "11" + request, generation) for request in REQUESTS]
    found += [message(2, 7, box, generation) for box in BOXES]
    return found + [message(3, 7, exception, generation) for exception in EXCEPTIONS]


def client_seeds() -> list[bytes]:
    """Servers that answer each possible first call with a usable object."""
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


#: Boxes, the answers of prompt_seeds. Any netref can stand for an object.
FUNCTION = "1154 12 080e11 6275696c74696e732e66756e6374696f6e 5151"
DICT_BOX = "1154" + DICT
TEXT = "1151 080a61"


def brine_str(text: str) -> str:
    """Encodes a str as hex digits of brine."""
    data = text.encode()
    return f"08 0f {len(data):08x} {data.hex()}"


def a_tuple(*boxes: str) -> str:
    """Returns the box of a tuple of boxes."""
    return f"1152 14 {len(boxes):02x} " + " ".join(boxes)


def of_text(text: str) -> str:
    """Returns the box of a str."""
    return "1151 " + brine_str(text)


#: The answers to the three requests that begin a session of cells.
BEGUN = [
    "1151" + NONE,
    FUNCTION,
    a_tuple(FUNCTION, "1151 55", DICT_BOX, FUNCTION, FUNCTION, FUNCTION),
]
#: A Lock that a thread waits for although it holds it itself: what the thread waits for, what it
#: holds, and the object.
WAITS = f"14 05 {brine_str('obj:1')} {brine_str('lock')} 00 {brine_str('seen')} 50"
HOLDS = (
    f"10 13 {brine_str('obj:1')} 12 50 {brine_str('x.py')} 51"
    f" {brine_str('seen')} {brine_str('with')}"
)
OBJECTS = (
    f"10 14 06 {brine_str('obj:1')} {brine_str('lock')} {brine_str('_thread.lock')}"
    f" {brine_str('self.lock')} 10 {brine_str('thread:1')} {brine_str('known')}"
)
#: The report of a process with two threads, one of which has a frame: see report/schema.c.
STACKS = "1151 11 52" + "14 15 52 18 3ff8000000000000" + "00" * 15 + "11" + "".join(
    f"14 13 {brine_str('thread:1')} 51 51 00 {brine_str(name)} {brine_str('threading')} 04 03"
    f" {brine_str(name)} {brine_str('ok')} 00 00 00 00 {frames} 00 00 {WAITS} {HOLDS}"
    for name, frames in [
        ("<Thread 1>", f"10 13 {brine_str('x.py')} 55 {brine_str('work')} 00"),
        ("<Thread \x1b[2J\n 2>", "02"),
    ]
) + f"02 02 {OBJECTS}"  # fmt: skip
NASTY = "\x1b]0;x\x07\x9b\r\u202ex\u2066\x7f\0\n"
#: Repeated answers to a cell, a magic command, and Tab.
OUTCOMES = {
    "values": "1151 11 03 " + brine_str("'a value'\n" + NASTY),
    "failures": "1151 11 04 " + brine_str(f"Traceback:\n  {NASTY}\nError: {NASTY}"),
    "nothings": "1151 11 00 00",
    "looks": "1151 12 03 03 " + brine_str(NASTY),
    "names": "1151 14 05 51 " + brine_str("a") + brine_str("(") + "52 11"
    + brine_str("ab") + brine_str("ac" + NASTY),
    "objects": FUNCTION,
    "dicts": DICT_BOX,
    "texts": of_text(NASTY),
    "ints": "1151 55",
    "floats": "1151 18 3ff8000000000000",
    "complexes": "1151 1b 3ff8000000000000 c000000000000000",
    "tuples": "1151 12" + brine_str("os") + brine_str("a.b") + brine_str("_c"),
}  # fmt: skip


def call_back(which: int, *arguments: str) -> str:
    """Returns the request that calls a function of the client."""
    function = "12 080e11 6275696c74696e732e66756e6374696f6e 51 160f" + "40" * 14 + f"3{which}"
    return "11 57 " + a_tuple("1153" + function, a_tuple(*arguments) if arguments else "1151 02")


def prompt_seeds() -> list[bytes]:
    """Servers that first answer a client correctly, and then maliciously."""
    key_error = "13 11" + brine_str("builtins") + brine_str("KeyError") + f"10 {brine_str('x')} 02"
    traceback = 'Traceback (most recent call last):\n  File "x", line 1\n' + NASTY
    exceptions = [key_error + brine_str(traceback), *EXCEPTIONS]
    callbacks = [
        call_back(0, of_text(NASTY)), call_back(1, TEXT), call_back(2), call_back(3, "1151 55"),
    ]  # fmt: skip
    seeds = []
    for generation in 6, 5:

        def say(kind: int, box: str, generation: int = generation) -> bytes:
            return frame(message(kind, 0, box, generation))

        begun = [say(2, box) for box in ["1154" + ROOT, *BEGUN]]
        shown = [say(2, box) for box in ["1154" + ROOT, STACKS, *BEGUN]]
        ints = [f"1151 {0x50 + i:02x}" for i in range(3)]
        entry = f"13 {brine_str('x.py')} 51 {brine_str('f')} {brine_str(NASTY)}"
        walk = [FUNCTION] * 10 + ["1151 12 50 51 52", FUNCTION, ints[1], ints[2]]
        walk += [FUNCTION, of_text(NASTY), of_text(NASTY), *[FUNCTION] * 3, f"1151 10 {entry}"] * 2
        walked = [begun[0], say(3, exceptions[0]), *(say(2, box) for box in walk)]
        helped = [*begun, *[say(2, FUNCTION)] * 3]  # completion, inspection
        answers = [[say(2, box)] for box in OUTCOMES.values()]
        answers += [[say(3, exception)] for exception in exceptions]
        answers += [[say(1, c), say(2, OUTCOMES["values"])] for c in callbacks]
        answers += [[say(2, FUNCTION), say(2, FUNCTION), *answer] for answer in answers]
        answers += [[say(2, FUNCTION), say(3, exceptions[0])], sum(answers, [])]
        for session in range(14):
            head = bytes([generation == 5, session])
            for first in begun, shown, helped, walked, begun[:1]:
                seeds += [head + b"".join([*first, *answer * 12]) for answer in answers]
    return seeds


def recorded(name: str) -> dict[str, bytes]:
    """Reads the files of an archive in corpus/."""
    with zipfile.ZipFile(CORPUS / f"{name}.zip") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def frames(stream: bytes) -> Iterator[bytes]:
    """Divides a stream into its frames."""
    while stream:
        end = 4 + 1 + int.from_bytes(stream[:4], "big") + 1
        yield stream[:end]
        stream = stream[end:]


def beginning(stream: bytes, size: int) -> bytes:
    """Returns as many complete frames of a stream as fit."""
    kept = b""
    for each in frames(stream):
        if len(kept) + len(each) > size:
            break
        kept += each
    return kept


def recorded_seeds() -> dict[str, list[bytes]]:
    """Returns each target's inputs from recorded sessions."""
    sessions, replies = recorded("sessions"), recorded("replies")
    streams = [session[1:] for session in sessions.values()] + list(replies.values())
    payloads = {each[5:-1] for stream in streams for each in frames(stream) if len(each) < 2000}
    shortest: dict[bytes, bytes] = {}  # the shortest input for each beginning
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
            if stream[5] != 0  # bind-threads, which the client of that target does not use
        ],
        "prompt": [
            bytes([2 | (stream[5] == 0x12), session]) + beginning(stream, 12000)
            for name, stream in replies.items()
            for session in range(14)
            if name.startswith("ours-") and stream[5] != 0
        ],
    }


def netlink(kind: int, body: bytes) -> bytes:
    """Returns a netlink message of the kernel."""
    message = struct.pack("=IHHII", 16 + len(body), kind, 2, 0, 0) + body
    return message + bytes(-len(message) % 4)


def diag_seeds() -> list[bytes]:
    """Answers of sock_diag: listening sockets, and the end."""
    addresses = bytes([127, 0, 0, 1]) + bytes(28)
    ports = struct.pack(">HH", 6666, 0)
    tail = struct.pack("=IIIII", 0, 0, 128, 1000, 4711)
    tcp = bytes([2, 10, 0, 0]) + ports + addresses + bytes(12) + tail
    tcp6 = bytes([10, 10, 0, 0]) + ports + bytes(15) + b"\1" + bytes(16) + bytes(12) + tail
    seeds = []
    for name in (b"/run/s\0", b"\0abstract", b"\0a\0b", b""):
        attributes = b""
        for kind, value in ((0, name), (7, struct.pack("=I", 1000))):
            attribute = struct.pack("=HH", 4 + len(value), kind) + value
            attributes += attribute + bytes(-len(attribute) % 4)
        unix = bytes([1, 1, 10, 0]) + struct.pack("=III", 4712, 1, 2) + attributes
        first = netlink(20, tcp) + netlink(20, tcp6) + netlink(20, unix)
        datagrams = first, netlink(3, bytes(4))
        seeds.append(b"N" + b"".join(struct.pack(">H", len(d)) + d for d in datagrams))
    return seeds


def reader_seeds() -> list[bytes]:
    """A change of each kind (image.c), at once and while the memory is read."""
    kinds = [*range(8), *range(128, 136)]
    return [
        bytes([flags]) + struct.pack("=HHBBH", 400 * kind, 8 * kind, kind, when, kind)
        for flags in (0, 1, 66)
        for kind in kinds
        for when in (0, 10)
    ]


def all_seeds() -> dict[str, list[bytes]]:
    """Returns all inputs of each target."""
    seeds = written_seeds()
    for target, more in recorded_seeds().items():
        seeds[target] = seeds.get(target, []) + more
    return seeds


def written_seeds() -> dict[str, list[bytes]]:
    """Returns the inputs that are written in this file."""
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
        "prompt": prompt_seeds(),
        "expr": [text.encode() for text in TYPED],
        "target": [text.encode() for text in TARGETS],
        "stackreader": reader_seeds(),
        "sockets": [b"T" + b"\0".join(table.encode() for table in TABLES)] + diag_seeds(),
    }


def main() -> None:
    """Writes all inputs."""
    for target, seeds in all_seeds().items():
        directory = Path(sys.argv[1], target)
        directory.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(seeds):
            (directory / f"seed-{i:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
