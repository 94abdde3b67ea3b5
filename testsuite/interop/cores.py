# SPDX-License-Identifier: BSD-3-Clause
"""Core files of running processes: from the kernel, from gcore, and written here."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from harness import PATIENCE, Running

PAGE = resource.getpagesize()

#: The most bytes of a core file of the kernel.
LIMIT = 1 << 30

HEADER, SEGMENT, NOTE = "=16sHHIQQQIHHHHHH", "=IIQQQQQQ", "=III"
LOAD, NOTES = 1, 4
PRSTATUS, PRPSINFO, AUXV, FILES = 1, 3, 6, 0x46494C45

#: The offsets of members in the header and in a program header.
TYPE, MACHINE, COUNT = 16, 18, 56


# ---- Written here --------------------------------------------------------------------------------


class Mapping(NamedTuple):
    """A line of /proc/PID/maps."""

    start: int
    end: int
    access: str
    offset: int
    path: str

    @property
    def flags(self) -> int:
        """The access as the flags of a program header."""
        return sum(bit for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if letter in self.access)


def mappings(pid: int) -> list[Mapping]:
    """The mappings of a process."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, access, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in addresses.split("-"))
        found.append(Mapping(start, end, access, int(offset, 16), path[0] if path else ""))
    return found


def _saved(mapping: Mapping, memory: int) -> int:
    """How many bytes the kernel saves with its default filter: of a file, what may be changed, and
    the first page of programs and libraries."""
    if "r" not in mapping.access or mapping.path in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
        return 0
    if "w" in mapping.access or not mapping.path.startswith("/"):
        return mapping.end - mapping.start
    is_image = mapping.offset == 0 and os.pread(memory, 4, mapping.start) == b"\x7fELF"
    return PAGE if is_image else 0


def _note(kind: int, value: bytes) -> bytes:
    return (
        struct.pack(NOTE, 5, len(value), kind) + b"CORE\0\0\0\0" + value + b"\0" * (-len(value) % 4)
    )


def _notes(pid: int, mapped: list[Mapping], rename: dict[str, str]) -> bytes:
    status = Path(f"/proc/{pid}/status").read_text()
    name, parent = (
        status.split(f"\n{word}:\t")[1].split("\n")[0] if word != "Name" else status.split()[1]
        for word in ("Name", "PPid")
    )
    info = struct.pack("=4xxxxxQII4i16s80s", 0, 0, 0, pid, int(parent), 0, 0, name.encode(), b"")
    files = [each for each in mapped if each.path.startswith("/")]
    entries = b"".join(struct.pack("=QQQ", m.start, m.end, m.offset // PAGE) for m in files)
    paths = b"".join(os.fsencode(rename.get(m.path, m.path)) + b"\0" for m in files)
    threads = [
        _note(PRSTATUS, struct.pack("=32xi364x", int(thread)))
        for thread in sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    ]
    return b"".join(
        [
            threads[0],
            _note(PRPSINFO, info),
            _note(AUXV, Path(f"/proc/{pid}/auxv").read_bytes()),
            _note(FILES, struct.pack("=QQ", len(files), PAGE) + entries + paths),
            *threads[1:],
        ]
    )


def write(pid: int, path: Path, rename: dict[str, str] | None = None) -> Path:
    """Writes a core file like those of the kernel, while the process waits.

    rename: other paths for some of the files that it has mapped.
    """
    mapped = mappings(pid)
    notes = _notes(pid, mapped, rename or {})
    own = Path("/proc/self/exe").open("rb").read(20)
    count = len(mapped) + 1
    at = struct.calcsize(HEADER) + count * struct.calcsize(SEGMENT)
    headers = [
        struct.pack(
            HEADER, own[:16], 4, struct.unpack_from("=H", own, MACHINE)[0], 1, 0, 64, 0, 0, 64, 56,
            count, 0, 0, 0
        ),
        struct.pack(SEGMENT, NOTES, 0, at, 0, 0, len(notes), 0, 4),
    ]  # fmt: skip
    at += len(notes)
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    with path.open("wb") as file:
        for each in mapped:
            size = _saved(each, memory)
            at += -at % PAGE
            headers.append(
                struct.pack(
                    SEGMENT, LOAD, each.flags, at, each.start, 0, size, each.end - each.start, PAGE
                )
            )
            _copy(memory, each.start, file.fileno(), at, size)
            at += size
        file.truncate(at)
        os.pwrite(file.fileno(), b"".join(headers) + notes, 0)
    os.close(memory)
    return path


def _copy(memory: int, address: int, file: int, offset: int, size: int) -> None:
    """Copies memory to a file, but no zeros, so that the file needs little space.

    Like the kernel, leaves out what cannot be read, such as memory behind the end of a mapped file.
    """
    step = 1 << 16
    zeros = bytes(step)
    for at in range(0, size, step):
        with contextlib.suppress(OSError):
            piece = os.pread(memory, min(step, size - at), address + at)
            if piece != zeros[: len(piece)]:
                os.pwrite(file, piece, offset + at)


# ---- From the kernel and from gcore --------------------------------------------------------------


def allow(pid: int) -> None:
    """Lets the kernel write a core file when a process is killed. Skips the test if it cannot."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or "/" in pattern or not pattern:
        pytest.skip(f"the kernel's core files go elsewhere: core_pattern is {pattern!r}")
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (LIMIT, LIMIT))
    except (OSError, ValueError) as error:
        pytest.skip(f"core files are not allowed: {error}")


def kill(running: Running, folder: Path, number: signal.Signals = signal.SIGSYS) -> Path:
    """Kills a process that runs in an empty folder. Returns the core file of the kernel."""
    allow(running.pid)
    before = set(folder.iterdir())
    os.kill(running.pid, number)
    running.popen.wait(PATIENCE)
    written = set(folder.iterdir()) - before
    if not written:
        pytest.skip("the kernel has written no core file")
    return written.pop()


def gcore(pid: int, folder: Path) -> Path:
    """Has gdb write a core file. Skips the test if there is no gdb, or if it may not."""
    if not shutil.which("gcore"):
        pytest.skip("gcore is not installed (it comes with gdb)")
    done = subprocess.run(
        ["gcore", "-o", str(folder / "gcore"), str(pid)],
        env=os.environ | {"DEBUGINFOD_URLS": "", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )
    path = folder / f"gcore.{pid}"
    if not path.exists():
        pytest.skip(f"gcore has written no core file: {done.stderr[-200:]}")
    return path
