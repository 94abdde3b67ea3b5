#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Records sessions of stock rpyc and of pystuck as inputs of the fuzz targets: make fuzz-record.

Writes `sessions.zip` and `replies.zip` in the directory that it is given: see corpus/README there.
Needs what the interop tests need, stock rpyc of each generation among it.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import sysconfig
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

import cases  # noqa: E402
from forwarder import Forwarder  # noqa: E402
from harness import (  # noqa: E402
    RPYC4,
    RPYC5,
    RPYC5_BOUND,
    RPYC6,
    RPYC6_BOUND,
    SERVERS,
    Debuggee,
    Stock,
    StockClient,
    build_setting,
    c_program,
    clean_environment,
    differences,
    start_stuck,
)
from rpyc.core import brine  # noqa: E402

REQUEST, REPLY, EXCEPTION = 1, 2, 3
LOCAL_REF, REMOTE_REF = 3, 4
DEL, INSPECT = 15, 16

#: For fuzz_server: send this request while a request of the server waits for its answer.
NESTED = 0x08

#: Seconds that one case may take. Recording changes some behaviour, so a case may wait in vain.
PATIENCE = 6.0

#: The size of the longest session that is kept, in bytes.
LONGEST = 12_000

#: The clients and servers to record; None is pystuck's server.
PEERS: list[tuple[Stock, Stock | None]] = [
    (RPYC4, None),
    (RPYC5, None),
    (RPYC6, None),
    (RPYC5_BOUND, None),
    (RPYC6_BOUND, None),
    (RPYC5, RPYC5),
    (RPYC6, RPYC6),
]

#: Runs of pystuck(1) with every server: the arguments after the address, and stdin.
COMMANDS: list[tuple[list[str], str]] = [
    ([], ""),
    (["--json"], ""),
    (["--no-exec"], ""),
    (["-c", "1 + 1", "-c", "x = [1, 2]", "-c", "x", "-c", "print('a' * 30)"], ""),
    (["-c", "import sys; sys.version_info[0]", "-c", "1 / 0"], ""),
    (["-c", "def f(n):\n    return n and f(n - 1)\nf(3)", "-c", "raise KeyError('x')"], ""),
    (["-c", "modules['threading'].main_thread().name", "-c", "undefined"], ""),
    ([], "x = {'a': (1, 2.5, None)}\nx\nfor i in range(3):\n    print(i)\n\nlen(x)\n"),
    ([], "%who\n%stacks\nimport os\nos.getpid() > 0\nos.path?\n"),
    (["--no-exec"], "modules.sys.path\nmodules['os'].path.join('a', 'b')\n"),
    (["--no-exec"], "[1][0]\nmodules.threading.enumerate()\nmodules.sys.nothing\n"),
]


class Message(NamedTuple):
    """The contents of a payload; `ids` are those of bind-threads."""

    generation: int
    ids: tuple[int, int] | None
    kind: int
    seq: int
    args: Any


def decode(payload: bytes) -> Message:
    """Parses a payload of either side."""
    ids = None
    if payload[0] == 0:
        ids = int.from_bytes(payload[:8], "big"), int.from_bytes(payload[8:16], "big")
        payload = payload[16:]
    if payload[0] in (REQUEST, REPLY, EXCEPTION):
        return Message(6, ids, payload[0], *brine.load(payload[1:]))
    return Message(5, ids, *brine.load(payload))


def encode(m: Message, how: int = 0) -> bytes:
    """Returns an uncompressed frame of the message; fuzz_server sends it as `how` says."""
    if m.generation == 6:
        payload = bytes([m.kind]) + brine.dump((m.seq, m.args))
    else:
        payload = brine.dump((m.kind, m.seq, m.args))
    if m.ids:
        payload = b"".join(number.to_bytes(8, "big") for number in m.ids) + payload
    return len(payload).to_bytes(4, "big") + bytes([how]) + payload + b"\n"


class Recorder(Forwarder):
    """Records the traffic: for each connection, the sender and the bytes."""

    def __init__(self, debuggee: Debuggee) -> None:
        self.said: defaultdict[int, list[tuple[str, bytes]]] = defaultdict(list)
        self._lock = threading.Lock()
        super().__init__(debuggee)

    @property
    def address(self) -> dict[str, Any]:
        """Has the attributes of a debuggee."""
        return {"host": self.host, "port": self.port, "unix_socket": None}

    def note(self, connection: int, direction: str, payload: bytes) -> None:
        with self._lock:
            self.said[connection].append((direction, payload))

    def sessions(self) -> Iterator[list[tuple[str, Message]]]:
        """Returns the messages of each connection."""
        for said in self.said.values():
            with contextlib.suppress(Exception):  # stock brine does not accept every payload
                yield [(direction, decode(payload)) for direction, payload in said]


# ---- Values that depend on this machine or this run ----------------------------------------------


def places() -> list[tuple[str, str]]:
    """Returns names of directories on this machine, and their replacements."""
    here = {
        str(HERE.parent.parent): "/src",
        build_setting("abs_top_builddir"): "/build",
        str(Path(build_setting("PYSTUCK_RPYC6")).parent): "/peers",
        sysconfig.get_config_var("prefix"): "/usr",
        str(Path(sys.executable).parent.parent): "/venv",
        sys.base_prefix: "/usr",
        str(Path.home()): "/home",
    }
    return sorted(here.items(), key=lambda pair: -len(pair[0]))


def scrubbed(value: Any, here: list[tuple[str, str]]) -> Any:
    """Replaces the names of this machine in a value by general ones."""
    if type(value) is tuple:
        return tuple(scrubbed(item, here) for item in value)
    if type(value) is frozenset:
        return frozenset(scrubbed(item, here) for item in value)
    if type(value) is str:
        for name, instead in here:
            value = value.replace(name, instead)
        return re.sub(r"/tmp/[^\s'\",:]*", "/tmp/x", value)
    if type(value) is bytes:
        for name, instead in here:
            value = value.replace(name.encode(), instead.encode())
    return value


def boxed_refs(box: Any, label: int) -> Iterator[tuple]:
    """Finds the id packs with this label in a boxed value."""
    if type(box) is not tuple or len(box) != 2:
        return
    if box[0] == label:
        yield box[1]
    elif box[0] == 2:
        for item in box[1]:
            yield from boxed_refs(item, label)


def refs_of(m: Message, label: int) -> Iterator[tuple]:
    """Finds the id packs with this label in a message."""
    if m.kind == REQUEST:
        yield from boxed_refs(m.args[1], label)
    elif m.kind == REPLY:
        yield from boxed_refs(m.args, label)


def replaced(value: Any, packs: dict[Any, Any]) -> Any:
    """Replaces the id packs in a value."""
    if type(value) is not tuple:
        return value
    if len(value) == 3 and type(value[0]) is str and type(value[2]) is int and value in packs:
        return packs[value]
    return tuple(replaced(item, packs) for item in value)


class Numbers:
    """Replaces numbers that differ in each run by small ones."""

    def __init__(self) -> None:
        self._given: dict[int, int] = {0: 0}

    def of(self, number: int) -> int:
        return self._given.setdefault(number, 1000 + len(self._given))

    def pack(self, pack: tuple) -> tuple:
        return pack[0], self.of(pack[1]), self.of(pack[2])


# ---- Seeds ---------------------------------------------------------------------------------------


def client_frames(session: list[tuple[str, Message]]) -> list[bytes]:
    """Returns the client's messages as input of fuzz_server: see script.h for placeholders."""
    theirs: list[tuple] = []  # objects of the server, in the order of their arrival
    ours, threads, frames = {}, Numbers(), []
    numbers = Numbers()
    asked: set[int] = set()  # requests of the server that wait for the client
    for direction, m in session:
        if direction == "from":
            if m.kind == REQUEST and m.args[0] not in (INSPECT, DEL):
                asked.add(m.seq)
            for pack in refs_of(m, REMOTE_REF):
                if pack not in theirs:
                    theirs.append(pack)
            continue
        for pack in refs_of(m, REMOTE_REF):
            ours[pack] = numbers.pack(pack)
        packs = dict(ours)
        for i, pack in enumerate(theirs):
            packs[pack] = ("@", i if i < 2 else i - len(theirs), 0)
        ids = m.ids and (threads.of(m.ids[0]), 2**64 - 1 if m.ids[1] else 0)
        seq, how = (m.seq, NESTED if asked else 0) if m.kind == REQUEST else (-1, 0)
        if m.kind != REQUEST:
            asked.discard(m.seq)
        frames.append(encode(m._replace(ids=ids, seq=seq, args=replaced(m.args, packs)), how))
    return frames


def server_frames(session: list[tuple[str, Message]]) -> list[bytes]:
    """Returns the server's messages, with small numbers for the objects of both sides."""
    numbers, threads, frames = Numbers(), Numbers(), []
    for direction, m in session:
        if direction == "to":
            continue
        every = [*refs_of(m, REMOTE_REF), *refs_of(m, LOCAL_REF)]
        packs = {pack: numbers.pack(pack) for pack in every}
        ids = m.ids and (threads.of(m.ids[0]), threads.of(m.ids[1]))
        frames.append(encode(m._replace(ids=ids, args=replaced(m.args, packs))))
    return frames


def shape(box: Any, depth: int = 0) -> Any:
    """Lists the parts of a boxed value, with names, down to some depth."""
    if type(box) is tuple and len(box) == 2 and box[0] == 2 and type(box[1]) is tuple and depth < 3:
        return tuple(shape(item, depth + 1) for item in box[1][:4])
    if type(box) is tuple and len(box) == 2 and box[0] == 1:
        value = box[1]
        if type(value) is str and value.isidentifier() and len(value) < 24:
            return value
        if type(value) is tuple:
            return tuple(type(item).__name__ for item in value[:4])
        return type(value).__name__
    return box[0] if type(box) is tuple and box else None


def features(session: list[tuple[str, Message]], side: str) -> Iterator[Any]:
    """Lists the features that the messages of one side use."""
    before = None
    for direction, m in session:
        if direction == side:
            bound = m.ids is not None
            what = m.args[0] if m.kind == REQUEST else None
            yield m.generation, bound, m.kind, what, before
            value = m.args[1] if m.kind == REQUEST else m.args
            yield m.kind, what, repr(value)[:40] if m.kind == EXCEPTION else repr(shape(value))
            before = m.kind, what
        elif m.kind == REQUEST:
            before = "asked", m.args[0]


Sessions = dict[str, list[tuple[str, Message]]]


def chosen(sessions: Sessions, side: str) -> Iterator[str]:
    """Selects sessions that together use all features."""
    seen: set[Any] = set()
    for name in sorted(sessions, key=lambda name: (-len(sessions[name]), name)):
        mine = set(features(sessions[name], side)) - seen
        if len(mine) > 1:
            seen |= mine
            yield name


# ---- Recording -----------------------------------------------------------------------------------


def record_cases(client: Stock, server: Stock | None) -> Iterator[tuple[str, Recorder]]:
    """Records the cases of the interop tests with one pair of peers."""
    process, debuggee = None, None
    modules = StockClient.MODULES
    try:
        for case in cases.names_of(*modules):
            if case in cases.ENDLESS or any(
                each.hangs for each in differences(case, client, server)
            ):
                continue
            if process is None or not process.is_alive():
                process = StockClient(client)
            if debuggee is None or not debuggee.is_alive():
                debuggee = start_stuck(server)
            with Recorder(debuggee) as recorder:
                process.start(case, recorder)
                try:
                    process.read_line(PATIENCE)
                except BaseException:  # pytest's Failed
                    process.kill()
                    debuggee.kill()
                    debuggee = None
            yield case, recorder
    finally:
        for each in process, debuggee:
            if each is not None:
                each.kill()


def record_commands(server: Stock | None) -> Iterator[tuple[str, Recorder]]:
    """Records pystuck(1)."""
    debuggee = start_stuck(server)
    try:
        for number, (arguments, stdin) in enumerate(COMMANDS):
            with Recorder(debuggee) as recorder:
                where = ["--host", recorder.host, "--port", str(recorder.port)]
                subprocess.run(
                    c_program("PYSTUCK_BIN", *where, *arguments),
                    env=clean_environment(),
                    input=stdin.encode(),
                    capture_output=True,
                    timeout=10 * PATIENCE,
                    check=False,
                )
            yield f"command{number}", recorder
    finally:
        debuggee.kill()


def collect(found: Sessions, who: str, recordings: Iterable[tuple[str, Recorder]]) -> None:
    """Adds the recorded sessions."""
    here, start, before = places(), time.monotonic(), len(found)
    for name, recorder in recordings:
        for number, session in enumerate(recorder.sessions()):
            clean = [(side, m._replace(args=scrubbed(m.args, here))) for side, m in session]
            if sum(len(encode(m)) for _, m in clean) <= 4 * LONGEST:
                found[f"{who}-{name}-{number}"] = clean
    took = time.monotonic() - start
    print(f"{who}: {len(found) - before} sessions in {took:.0f} s", flush=True)


def write(path: Path, seeds: dict[str, bytes]) -> None:
    """Writes a zip file that depends only on its contents."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in sorted(seeds.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)
    size = sum(map(len, seeds.values()))
    print(f"{path.name}: {len(seeds)} of {size} bytes, {path.stat().st_size} compressed")


def main() -> None:
    directory = Path(sys.argv[1])
    at_ours: Sessions = {}
    of_servers: Sessions = {}
    for server in SERVERS:
        collect(of_servers, f"ours-{server or 'ours'}", record_commands(server))
    for client, server in PEERS:
        name = f"{client}-{server or 'ours'}"
        collect(at_ours if server is None else of_servers, name, record_cases(client, server))
    at_ours |= {name: s for name, s in of_servers.items() if name.startswith("ours-ours-")}

    sessions = {
        name: b"\0" + b"".join(client_frames(at_ours[name])) for name in chosen(at_ours, "to")
    }
    replies = {
        name: b"".join(server_frames(of_servers[name])) for name in chosen(of_servers, "from")
    }
    directory.mkdir(parents=True, exist_ok=True)
    write(directory / "sessions.zip", {n: s for n, s in sessions.items() if len(s) <= LONGEST})
    write(directory / "replies.zip", {n: s for n, s in replies.items() if len(s) <= 4 * LONGEST})


if __name__ == "__main__":
    main()
