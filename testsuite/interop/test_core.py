# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --core: the stacks in core files.

With PYSTUCK_SLOW=1 also those of the other versions of Python that are installed, and more of the
wrong core files.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cores
import pytest
from faults import SLOW
from harness import (
    NO_LEAK_CHECK,
    PATIENCE,
    PROGRAMS,
    STRANGER,
    Running,
    as_user,
    build_setting,
    c_program,
    clean_environment,
    pystuck,
    python,
    refusal,
    wait_until,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to be another user")


class Dumped(NamedTuple):
    """A program whose core files were written."""

    folder: Path
    pid: int
    argv: list[str]
    expected: dict[str, Any]  #: what Python knew of its threads, by ident
    files: dict[str, str]  #: the executable and libpython: their paths in the core file "lost"

    @property
    def version(self) -> tuple[int, ...]:
        """The version of Python without its last part."""
        return tuple(map(int, version_of(self.argv[0]).split(".")[:2]))

    @property
    def needs_file(self) -> bool:
        """Whether a core file can only be read with the executable or libpython."""
        return (3, 11) <= self.version < (3, 13)

    def path(self, kind: str) -> Path:
        """The core file of a kind. Skips the test if it could not be written."""
        path = self.folder / kind
        if not path.exists():
            pytest.skip((self.folder / f"{kind}.why").read_text())
        return path


def reads_input(pid: int) -> bool:
    """Returns True if the main thread of a process is in a system call on descriptor 0."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[1:2] == ["0x0"]


@contextlib.contextmanager
def dump(interpreter: str, kinds: tuple[str, ...]) -> Iterator[Dumped]:
    """Starts a program, writes its core files, and kills it.

    Kinds: "written" by the tests like the kernel's; "lost", the same, with other paths for the
    executable and libpython; "gcore"; and "kernel", for which a signal ends the program.
    """
    with tempfile.TemporaryDirectory(prefix="pystuck-") as name:
        folder = Path(name)
        argv = [interpreter, str(PROGRAMS / "watched.py"), "", "a\nb", "before", "\udcff" * 8]
        inner = folder / "cwd"
        inner.mkdir()
        running = Running(argv, clean_environment(), cwd=inner)
        try:
            expected = json.loads(running.read_line())
            wait_until(lambda: reads_input(running.pid), "the program to wait for input")
            files = {
                each.path: f"{folder}/gone/{os.path.basename(each.path)}"
                for each in cores.mappings(running.pid)
                if os.path.basename(each.path).startswith(("python", "libpython"))
                and "x" in each.access
            }
            for kind in kinds:
                try:
                    if kind == "gcore":
                        cores.gcore(running.pid, folder).rename(folder / kind)
                    elif kind == "kernel":
                        cores.kill(running, inner).rename(folder / kind)
                    else:
                        renamed = files if kind == "lost" else None
                        cores.write(running.pid, folder / kind, renamed)
                except pytest.skip.Exception as skipped:
                    (folder / f"{kind}.why").write_text(str(skipped))
        finally:
            running.kill()
        yield Dumped(folder, running.pid, argv, expected, files)


@pytest.fixture(scope="module")
def dumped() -> Iterator[Dumped]:
    """Core files of a program that goes on, as the tests write them."""
    with dump(python(), ("written", "lost")) as result:
        yield result


@functools.cache
def version_of(interpreter: str) -> str:
    code = "import platform; print(platform.python_version())"
    return subprocess.check_output([interpreter, "-c", code], text=True).strip()


def read(core: Path, *arguments: object) -> dict[str, Any]:
    """The process in the output of --json."""
    done = pystuck("--core", core, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def reason(core: object, *arguments: object, status: int) -> str:
    """The sentence that is printed if nothing can be read."""
    return refusal("--core", core, *arguments, status=status)


def assert_same_stacks(process: dict[str, Any], dumped: Dumped) -> None:
    main, *others = process["threads"]
    assert (main["main"], main["name"], main["exact"]) == (True, "MainThread", True)
    assert [frame["source"] for frame in main["frames"]] == ["main()", "sys.stdin.readline()"]
    assert {str(each["ident"]) for each in others} == set(dumped.expected)
    for found in others:
        wanted = dumped.expected[str(found["ident"])]
        frames = [[f["file"], f["line"], f["function"], f["qualname"]] for f in found["frames"]]
        shown = found | {"frames": frames}
        assert shown | wanted == shown
        last = found["frames"][-1]
        assert (last["function"], last["source"]) == ("wait", "done.wait()") or last["file"] != (
            dumped.argv[1]
        )


# ---- What is read --------------------------------------------------------------------------------


def assert_is_it(process: dict[str, Any], dumped: Dumped) -> None:
    """Checks what a core file says of the process."""
    assert process["source"] == "core"
    assert (process["pid"], process["ppid"]) == (dumped.pid, os.getpid())
    assert process["argv"] == [*dumped.argv[:-1], r"\udcff" * 8]
    assert process["exe"] == os.path.realpath(dumped.argv[0])
    assert process["python"] == version_of(dumped.argv[0])
    assert [process["id"], process["host"], process["started"]] == [None] * 3


def test_the_stacks_in_a_core_file_are_those_that_python_showed(dumped: Dumped) -> None:
    process = read(dumped.path("written"))
    assert_same_stacks(process, dumped)
    assert_is_it(process, dumped)
    assert (process["signal"], process["findings"]) == (None, [])


def test_more_files_may_be_needed_than_may_be_open(dumped: Dumped) -> None:
    core = dumped.path("written")
    few = ["sh", "-c", 'ulimit -Sn 5 && exec "$@"', "sh"]  # the standard ones and two more
    done = pystuck("--core", core, "--json", prefix=few)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_stacks(json.loads(done.stdout), dumped)


def test_the_core_files_of_gdb_are_read() -> None:
    with dump(python(), ("gcore",)) as dumped:
        process = read(dumped.path("gcore"))
        assert_same_stacks(process, dumped)
        assert_is_it(process, dumped)
        assert (process["signal"], process["findings"]) == (None, [])


def test_the_core_files_of_the_kernel_say_which_signal_ended_which_thread() -> None:
    with dump(python(), ("kernel",)) as dumped:
        process = read(dumped.path("kernel"))
        assert_same_stacks(process, dumped)
        assert_is_it(process, dumped)
        main = process["threads"][0]["id"]
        assert process["signal"] == {
            "number": 31,
            "name": "SIGSYS",
            "native_id": dumped.pid,
            "thread": main,
            "address": None,
            "sender": os.getpid(),
        }
        (finding,) = process["findings"]
        assert (finding["kind"], finding["members"]) == ("signal", [main])
        assert finding["text"].startswith(
            f"ended by SIGSYS, sent by process {os.getpid()}, in MainThread, in main (watched.py:"
        )


def test_what_needs_the_interpreter_is_said_to_be_missing(dumped: Dumped) -> None:
    process = read(dumped.path("written"))
    why = "no code can run in a core file"
    assert process["missing"] == [{"what": "repr", "why": why}]
    assert (process["greenlets"], process["tasks"]) == ([], [])
    text = pystuck("--core", dumped.path("written")).stdout
    assert text.endswith(f"\nnot shown: the program's own __repr__ ({why})\n")


def test_files_that_have_changed_since_give_no_source_lines(dumped: Dumped) -> None:
    core = dumped.path("written")
    before = os.stat(core)
    os.utime(core, (1, 1))
    try:
        process = read(core)
    finally:
        os.utime(core, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert {frame["source"] for each in process["threads"] for frame in each["frames"]} == {None}
    assert [each["what"] for each in process["missing"]] == ["repr", "source lines"]


def test_the_text_has_no_prompt_and_needs_no_input(dumped: Dumped) -> None:
    done = pystuck("--core", dumped.path("written"), stdin="1 + 1\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sys.stdin.readline()" in done.stdout
    assert "<Thread(plain, started " in done.stdout
    plain = pystuck("--core", dumped.path("written"), "--format", "plain")
    assert plain.stdout.startswith("<_MainThread(MainThread, started ")


DEADLOCK = """
import sys, threading
first, second, both = threading.Lock(), threading.RLock(), threading.Barrier(3)
def take(one, other):
    with one:
        both.wait()
        with other:
            pass
for locks in (first, second), (second, first):
    threading.Thread(target=take, args=locks, daemon=True).start()
both.wait()
print("ready", flush=True)
sys.stdin.readline()
"""


def test_a_deadlock_is_found_in_a_core_file(tmp_path: Path) -> None:
    running = Running([python(), "-c", DEADLOCK], clean_environment())
    try:
        assert running.read_line() == "ready"

        def kinds() -> list[str]:
            process = read(cores.write(running.pid, tmp_path / "core"))
            return [each["kind"] for each in process["findings"]]

        wait_until(lambda: kinds() == ["deadlock"], "the deadlock in the core file")
        done = pystuck("--core", tmp_path / "core", "--check")
        assert done.returncode == 3
        assert done.stdout.startswith("DEADLOCK: ")
    finally:
        running.kill()


@needs_root
def test_source_lines_are_read_with_the_rights_of_the_owner_of_the_core_file(
    tmp_path: Path,
) -> None:
    """Someone else's core file may name any file."""
    program = tmp_path / "secret.py"
    line = "print('ready', flush=True) or sys.stdin.readline()"
    program.write_text(f"import sys\n{line}\n")
    program.chmod(0o600)
    running = Running([python(), str(program)], clean_environment())
    try:
        assert running.read_line() == "ready"
        core = cores.write(running.pid, tmp_path / "core")
    finally:
        running.kill()
    for owner, source in ((0, line), (STRANGER, None)):
        os.chown(core, owner, -1)
        assert [each["source"] for each in read(core)["threads"][0]["frames"]] == [source]


def test_a_second_python_in_the_process_is_named(tmp_path: Path) -> None:
    where = (
        "import sysconfig as s; print(s.get_config_var('LIBDIR'), s.get_config_var('LDLIBRARY'))"
    )
    folder, name = subprocess.check_output([python(), "-c", where], text=True).split()
    library = Path(folder, name)
    if not library.exists() or ".so" not in name:
        pytest.skip("this Python has no shared library")
    copy = tmp_path / "libpython-copy.so"
    copy.write_bytes(library.read_bytes())
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print('ready', flush=True) or input()"
    running = Running([python(), "-c", code, str(copy)], clean_environment())
    try:
        assert running.read_line() == "ready"
        core = cores.write(running.pid, tmp_path / "core")
    finally:
        running.kill()
    done = pystuck("--core", core)
    assert done.returncode == 0
    assert "in <module>" in done.stdout
    assert done.stderr.startswith(f"pystuck: {core}: process {running.pid} (python")
    assert "also has loaded Python 3." in done.stderr
    assert done.stderr.count("\n") == 1


# ---- The executable ------------------------------------------------------------------------------


def needed(dumped: Dumped) -> str:
    """The file that has the Python."""
    return max(dumped.files, key=lambda path: "libpython" in path)


def test_files_that_are_elsewhere_are_named_or_needed_no_more(dumped: Dumped) -> None:
    core = dumped.path("lost")
    if not dumped.needs_file:
        process = read(core)
        assert_same_stacks(process, dumped)
        (why,) = [each["why"] for each in process["missing"] if each["what"] == "locks"]
        assert why.startswith(f"only a part is known without {dumped.files[needed(dumped)]}, which")
    else:
        text = reason(core, status=1)
        assert f"cannot be read without {dumped.files[needed(dumped)]}" in text
        assert text.endswith("which is not on this machine: name this file with --exe FILE")
    given = [word for path in dumped.files for word in ("--exe", path)]
    process = read(core, *given)
    assert_same_stacks(process, dumped)
    assert [each["what"] for each in process["missing"]] == ["repr"]


#: Mounts a file system over the directory in sys.argv[1], in which each access blocks for ever.
MOUNT_DEAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
os.mkdir(sys.argv[1])
fuse = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fuse, True)
assert libc.unshare(0x20000) == 0  # CLONE_NEWNS
assert libc.mount(b"none", b"/", None, 0x44000, None) == 0  # MS_REC, MS_PRIVATE
data = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
assert libc.mount(b"dead", sys.argv[1].encode(), b"fuse", 0, data) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK), reason="needs root and /dev/fuse"
)
def test_a_file_server_that_does_not_answer_is_given_up(dumped: Dumped) -> None:
    core = dumped.path("lost")
    lost = core.parent / "gone"

    def read_it(*arguments: str) -> subprocess.CompletedProcess[str]:
        prefix = [python(), "-c", MOUNT_DEAD, str(lost)]
        try:
            return pystuck("--timeout", "0.3", *arguments, prefix=prefix, **NO_LEAK_CHECK)
        finally:
            lost.rmdir()

    done = read_it("--core", str(core))
    if dumped.needs_file:
        assert (done.returncode, done.stdout) == (1, "")
        assert "which cannot be opened: its disk or file server does not answer" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
    done = read_it("--core", f"{lost}/core")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{lost}/core cannot be read: " in done.stderr
    assert "the disk or file server of this file, or of a file that the process had" in done.stderr


def test_a_file_with_another_build_id_is_refused(dumped: Dumped) -> None:
    text = reason(dumped.path("written"), "--exe", build_setting("PYSTUCK_BIN"), status=2)
    assert "is none of the files that the process had mapped: the executable of the" in text
    assert os.path.realpath(python()) in text


def test_a_file_that_took_the_place_of_the_right_one_is_not_used(dumped: Dumped) -> None:
    if not dumped.needs_file:
        pytest.skip("this version of Python needs no file")
    lost = dumped.files[needed(dumped)]
    name = os.path.basename(lost)
    (dumped.folder / name).write_bytes(Path(build_setting("PYSTUCK_BIN")).read_bytes())
    # More slashes than one do not change a path.
    path = "/proc/self/cwd".ljust(len(lost) - len(name), "/") + name
    data = dumped.path("lost").read_bytes()
    changed = dumped.folder / "replaced"
    changed.write_bytes(data.replace(lost.encode() + b"\0", path.encode() + b"\0"))
    done = subprocess.run(
        c_program("PYSTUCK_BIN", "--core", changed),
        cwd=dumped.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "this file has been replaced since" in done.stderr


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("/nonexistent", "cannot open /nonexistent: No such file or directory"),
        ("/dev/null", "/dev/null is not a regular file"),
        (__file__, "is not an executable or library for this machine"),
    ],
    ids=["missing", "device", "script"],
)
def test_what_cannot_be_the_executable_is_refused(dumped: Dumped, file: str, words: str) -> None:
    assert words in reason(dumped.path("written"), "--exe", file, status=2)


# ---- Other files ---------------------------------------------------------------------------------

SYSTEMD = "core.python3.0.0123456789abcdef0123456789abcdef.4711.1700000000000000"

#: Contents of files, or what else they are, and the sentence.
OTHER_FILES = {
    "text": (b"#!/usr/bin/python3\n", "{} is not a core file"),
    "empty": (b"", "{} is empty"),
    "FIFO": (os.mkfifo, "{} is not a regular file: a core file must be one"),
    "folder": (os.mkdir, "{} is a directory, not a core file"),
    "missing": (str, "cannot open {}: No such file or directory"),
    "device": (lambda path: os.symlink("/dev/zero", path), "{} is not a regular file"),
    "program": (
        lambda path: os.symlink(build_setting("PYSTUCK_BIN"), path),
        "{} is an executable, a library or an object file, not a core file",
    ),
    "cut": (b"\x7fELF\x02\x01", "{} is cut within its headers"),
    "core.zst": (
        b"\x28\xb5\x2f\xfd rest",
        "{} is compressed with zstd: unpack it with `zstd -dc {} > core`, then run pystuck --core "
        "core",
    ),
    f"{SYSTEMD}.zst": (
        b"\x28\xb5\x2f\xfd rest",
        "unpack it with `coredumpctl dump 4711 -o core` or `zstd -dc {} > core`",
    ),
    f"{SYSTEMD}.lz4": (b"\x04\x22\x4d\x18 rest", "unpack it with `coredumpctl dump 4711 -o core`"),
    "core.xz": (b"\xfd7zXZ\0 rest", "is compressed with xz"),
    "core.gz": (b"\x1f\x8b rest", "is compressed with gzip"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_file_that_is_no_core_file_is_said_to_be_none(tmp_path: Path, kind: str) -> None:
    make, words = OTHER_FILES[kind]
    path = tmp_path / kind
    if isinstance(make, bytes):
        path.write_bytes(make)
    else:
        make(str(path))
    assert words.replace("{}", str(path)) in reason(path, status=2)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (4, b"\x01", "is the core file of a 32-bit program"),
        (5, b"\x02" if os.sys.byteorder == "little" else b"\x01", "is the core file of a program"),
        (cores.MACHINE, struct.pack("=H", 22), "is the core file of a program for s390x: run "),
        (cores.TYPE, struct.pack("=H", 3), "is an executable, a library or an object file"),
    ],
    ids=["32 bits", "byte order", "machine", "type"],
)
def test_a_core_file_of_another_machine_is_told_apart(
    dumped: Dumped, tmp_path: Path, offset: int, value: bytes, words: str
) -> None:
    header = bytearray(dumped.path("written").open("rb").read(4096))
    header[offset : offset + len(value)] = value
    path = tmp_path / "core"
    path.write_bytes(header)
    assert words in reason(path, status=2)


@needs_root
def test_a_core_file_that_another_user_may_not_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(b"")
    tmp_path.chmod(0o755)
    path.chmod(0o600)
    text = as_user(STRANGER, lambda: reason(path, status=2))
    assert "cannot open " in text
    assert text.endswith(": Permission denied")


def test_the_core_file_of_another_program_is_said_to_have_no_python(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            wait_until(lambda: "sleep" in Path(f"/proc/{process.pid}/comm").read_text(), "sleep")
            core = cores.write(process.pid, tmp_path / "core")
        finally:
            process.kill()
    assert f"process {process.pid} (sleep) does not run Python" in reason(core, status=1)


# ---- Cut and wrong core files --------------------------------------------------------------------


def segments(data: bytes) -> list[tuple[int, int]]:
    """(address, offset) of each segment of which the core file has bytes."""
    count = struct.unpack_from("=H", data, cores.COUNT)[0]
    found = []
    for i in range(1, count):
        _, _, offset, address, _, size, _, _ = struct.unpack_from(cores.SEGMENT, data, 64 + 56 * i)
        found += [(address, offset)] * (size > 0)
    return found


def test_a_core_file_without_its_end_gives_what_is_left(dumped: Dumped, tmp_path: Path) -> None:
    """At its end are the arguments of the program, on the main thread's C stack."""
    cut = tmp_path / "cut"
    shutil.copy(dumped.path("written"), cut)
    os.truncate(cut, cut.stat().st_size - cores.PAGE)
    process = read(cut)
    assert_same_stacks(process, dumped)
    assert process["argv"] is None
    missing = {each["what"]: each["why"] for each in process["missing"]}
    assert missing["arguments"] == "the core file does not have them"
    words = missing["the memory that the core file does not contain"]
    assert words.startswith("the core file is cut: ")
    assert words.endswith(" MB are there")


def test_a_thread_whose_stack_is_not_complete_is_marked(dumped: Dumped, tmp_path: Path) -> None:
    """3.11 and 3.12 have a part of each thread's state on its C stack."""
    if dumped.version not in ((3, 11), (3, 12)):
        pytest.skip("this version of Python does not need the C stack")
    cut = tmp_path / "cut"
    shutil.copy(dumped.path("written"), cut)
    os.truncate(cut, max(offset for _, offset in segments(cut.open("rb").read(1 << 20))))
    assert [each["exact"] for each in read(cut)["threads"]] == [False, *[True] * 4]
    text = pystuck("--core", cut).stdout
    assert text.splitlines()[0].startswith("<_MainThread(MainThread, started ")
    assert text.splitlines()[0].endswith(")> (incomplete)")
    assert text.count("(incomplete)") == 1


def test_a_core_file_that_is_cut_anywhere_is_answered(dumped: Dumped, tmp_path: Path) -> None:
    core, cut = dumped.path("written"), tmp_path / "cut"
    size = core.stat().st_size
    answers = set()
    shutil.copy(core, cut)
    for left in (*range(size // 10 * 9, 4096, -size // 10), 4096, 3000, 100, 10, 0):
        os.truncate(cut, left)
        done = pystuck("--core", cut, "--json")
        answers.add(done.returncode)
        if done.returncode == 0:
            assert "is cut: " in json.loads(done.stdout)["missing"][-1]["why"]
        else:
            assert "is cut" in done.stderr or left == 0
    # Where the state of the interpreter is in the file depends on the Python.
    assert 2 in answers
    assert answers & {0, 1}


class Changes:
    """Changes bytes of a file, and changes them back."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR)
        self.before: list[tuple[int, bytes]] = []

    def put(self, offset: int, value: bytes) -> None:
        self.before.append((offset, os.pread(self.file, len(value), offset)))
        os.pwrite(self.file, value, offset)

    def undo(self) -> None:
        while self.before:
            offset, value = self.before.pop()
            os.pwrite(self.file, value, offset)


def change(changes: Changes, dice: random.Random, parts: list[tuple[int, int]], size: int) -> None:
    """Changes the headers and notes, or words of the memory, of a core file."""
    if dice.random() < 0.4:
        for _ in range(dice.choice((1, 3, 30))):
            value = dice.choice((b"\0", b"\xff", b"\x7f", dice.randbytes(1)))
            changes.put(dice.randrange(20, parts[0][1]), value * dice.choice((1, 4, 8)))
        return
    for _ in range(dice.choice((10, 1000, 10000))):
        address, start = dice.choice(parts)
        end = min((offset for _, offset in parts if offset > start), default=size)
        offset = dice.randrange(start, end) // 8 * 8
        pointer = address + dice.randrange(end - start) // 8 * 8
        changes.put(offset, struct.pack("=Q", dice.choice((0, 1, (1 << 64) - 1, pointer))))


def test_core_files_with_wrong_bytes_are_answered(dumped: Dumped) -> None:
    core = dumped.path("written")
    changes = Changes(core)
    parts = segments(core.open("rb").read(1 << 20))
    answers = []
    try:
        for seed in range(400 if SLOW else 25):
            change(changes, random.Random(seed), parts, core.stat().st_size)
            done = subprocess.run(
                c_program("PYSTUCK_BIN", "--core", core, "--json"),
                capture_output=True,
                env=clean_environment(),
                timeout=PATIENCE,
                check=False,
            )
            changes.undo()
            answers.append(done.returncode)
            assert done.returncode in (0, 1, 2), (seed, done.stderr)
            if done.returncode == 0:
                assert json.loads(done.stdout)["source"] == "core", seed
            else:
                assert done.stderr.startswith(b"pystuck: "), (seed, done.stderr)
                assert (done.stdout, done.stderr.count(b"\n")) == (b"", 1), (seed, done.stderr)
    finally:
        changes.undo()
        os.close(changes.file)
    assert answers.count(0) > len(answers) / 10
    assert_same_stacks(read(core), dumped)


# ---- Other versions of Python --------------------------------------------------------------------


def interpreter(version: str) -> str | None:
    """The path of an installed Python of this version."""
    pattern = os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}")
    return next(iter(sorted(glob.glob(pattern))), None) or shutil.which(f"python{version}")


@pytest.mark.skipif(not SLOW, reason="set PYSTUCK_SLOW=1")
@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(9, 16)])
def test_the_core_files_of_other_versions_are_read(version: str) -> None:
    path = interpreter(version)
    if path is None:
        pytest.skip(f"Python {version} is not installed")
    with dump(path, ("written", "lost", "gcore", "kernel")) as dumped:
        given = [word for file in dumped.files for word in ("--exe", file)]
        for kind in ("written", "gcore", "kernel"):
            if (dumped.folder / kind).exists():
                assert_same_stacks(read(dumped.path(kind)), dumped)
        assert_same_stacks(read(dumped.path("lost"), *given), dumped)
        if not dumped.needs_file:
            assert_same_stacks(read(dumped.path("lost")), dumped)


# ---- The command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--core", "x", "6666"), "--core cannot be combined with an address"),
        (("--core", "x", "--pid", "1"), "--core cannot be combined with an address, --pid"),
        (("--core", "x", "--list"), "--core cannot be combined with an address, --pid, --list"),
        (("--core", "x", "--ssl"), "or options of TLS"),
        (("--core", "x", "-c", "1"), "--core cannot be combined with -c"),
        (("--core", "x", "--no-stacks"), "--core cannot be combined with -c or --no-stacks"),
        (("--exe", "x"), "--exe requires --core"),
    ],
)
def test_options_that_core_files_do_not_have_are_refused(
    arguments: tuple[str, ...], words: str
) -> None:
    done = pystuck(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
