# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --pid on processes without a server: the stacks are read from outside."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cores
import jsonschema
import pexpect
import pytest
from harness import (
    NO_LEAK_CHECK,
    PATIENCE,
    STRANGER,
    Running,
    as_user,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    pystuck,
    python,
    refusal,
    shown_by_json,
    starts_a_shell,
    wait_until,
)
from test_json import SCHEMA
from test_without_gil import FORBID_READING

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to be another user, say")


@contextlib.contextmanager
def start(code: str, *flags: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Starts Python with this code, waits until it has printed "ready", and kills it at the end."""
    running = Running([python(), *flags, "-c", code], environment or clean_environment())
    try:
        assert running.read_line() == "ready"
        yield running
    finally:
        running.kill()


def read(pid: int, *arguments: str) -> dict[str, Any]:
    """The process in the output of --json."""
    return shown_by_json("--pid", pid, *arguments)


def read_version() -> str:
    """The version of the Python that runs the programs."""
    code = "import platform; print(platform.python_version())"
    return subprocess.check_output([python(), "-c", code], text=True).strip()


def reason(pid: int, *arguments: str, status: int) -> str:
    """The sentence that is printed if nothing can be read."""
    return refusal("--pid", pid, *arguments, status=status)


def first_syscall(pid: int) -> str:
    """The system call of the main thread of a process, with its first argument."""
    return " ".join(Path(f"/proc/{pid}/syscall").read_text().split()[:2])


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[Running, dict[str, Any]]]:
    """A program without pystuck, and what Python knows of its threads."""
    running = Running(command("watched.py"), clean_environment())
    try:
        expected = json.loads(running.read_line())
        wait_until(lambda: first_syscall(running.pid).endswith(" 0x0"), "it to read its input")
        yield running, expected
    finally:
        running.kill()


def test_the_stacks_from_outside_are_those_that_python_shows(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, expected = watched
    process = read(running.pid)
    jsonschema.validate(process, SCHEMA)
    main, *others = process["threads"]
    assert (main["main"], main["name"]) == (True, "MainThread")
    assert main["native_id"] == running.pid
    assert main["frames"][-1]["function"] == "main"
    assert {str(each["ident"]) for each in others} == set(expected)
    for found in others:
        wanted = expected[str(found["ident"])]
        frames = [[f["file"], f["line"], f["function"], f["qualname"]] for f in found["frames"]]
        assert found | {"frames": frames} | wanted == found | {"frames": frames}


def test_what_is_not_in_the_memory_is_said_to_be_missing(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, _ = watched
    process = read(running.pid)
    assert process["source"] == "pid"
    assert process["pid"] == running.pid
    assert process["ppid"] == os.getpid()
    assert process["argv"] == running.popen.args
    assert process["python"] == read_version()
    assert [each["what"] for each in process["missing"]] == ["repr"]
    source = [frame["source"] for frame in process["threads"][0]["frames"]]
    assert source == ["main()", "sys.stdin.readline()"]
    assert (process["greenlets"], process["tasks"]) == ([], [])
    assert process["threads"][0]["state"] == "S"
    assert process["threads"][0]["syscall"]["name"] == "read"
    assert process["threads"][0]["syscall"]["fd"] == 0
    target = process["threads"][0]["syscall"]["target"]
    assert (target["kind"], target["peer_pid"]) == ("pipe", os.getpid())


def test_source_lines_are_found_whatever_ends_the_lines(tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    lines = [
        "import sys",
        "# \\r",
        "",
        "print('ready', flush=True)",
        "def f():",
        "    sys.stdin.readline()",
    ]
    ends = ["\n", "\r\n", "\r", "\r\r", "\n\r", "\n"]
    text = "".join(line + end for line, end in zip(lines, ends))
    script.write_bytes((text + "f()  # the last line has no end").encode())
    with start(f"exec(compile(open({str(script)!r}).read(), {str(script)!r}, 'exec'))") as running:
        wait_until(lambda: first_syscall(running.pid).endswith(" 0x0"), "it to read its input")
        *_, last, inner = read(running.pid)["threads"][0]["frames"]
        assert (last["line"], last["source"]) == (9, "f()  # the last line has no end")
        assert (inner["line"], inner["source"]) == (8, "sys.stdin.readline()")


def test_the_text_says_that_there_is_no_server_and_how_to_get_one(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, _ = watched
    done = pystuck("--pid", running.pid)
    assert done.returncode == 0
    assert "sys.stdin.readline()" in done.stdout
    assert "<Thread(plain, started " in done.stdout
    assert "not shown: the program's own __repr__" in done.stdout
    assert f"process {running.pid} (" in done.stderr
    assert "has no pystuck server" in done.stderr
    assert "pystuck.run_server()" in done.stderr


def test_code_needs_a_server(watched: tuple[Running, dict[str, Any]]) -> None:
    running, _ = watched
    assert "has no pystuck server" in reason(running.pid, "-c", "1", status=2)


def test_without_stacks_a_terminal_gets_none_either(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, _ = watched
    text, status = pexpect.run(
        shlex.join(c_program("PYSTUCK_BIN", "--no-stacks", "--pid", running.pid)),
        withexitstatus=True,
        env=clean_environment(),
        timeout=PATIENCE,
        encoding="utf-8",
    )
    assert status == 2
    assert "has no pystuck server" in text
    assert "readline" not in text


@needs_root
def test_a_user_who_may_not_read_the_process_is_told_the_command_that_works(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, _ = watched
    text = as_user(STRANGER, lambda: reason(running.pid, status=1))
    assert f"belongs to root, and you are user {STRANGER}" in text
    assert f"run 'sudo pystuck --pid {running.pid}'" in text


def pystuck_after(code: str, pid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the client in a process that has run this code before."""
    code = f"import ctypes, os, sys\n{code}\nos.execv(sys.argv[1], sys.argv[1:])"
    return pystuck("--pid", pid, *arguments, prefix=[python(), "-c", code])


#: Drops the capability CAP_SYS_PTRACE for all programs that are executed later.
WITHOUT_PTRACE = "assert ctypes.CDLL(None).prctl(24, 19, 0, 0, 0) == 0"


@needs_root
def test_root_without_the_capability_is_told_so(watched: tuple[Running, dict[str, Any]]) -> None:
    running, _ = watched
    done = pystuck_after(WITHOUT_PTRACE, running.pid)
    assert (done.returncode, done.stdout) == (1, "")
    assert "you are root without the capability CAP_SYS_PTRACE" in done.stderr


#: The numbers of options of prctl(2).
PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 4, 8


#: Runs the rest of the command as another user, as if Yama forbade it to read other processes: a
#: file says that Yama has the setting sys.argv[1], and a seccomp filter refuses to read memory.
YAMA = """
import ctypes, os, platform, struct, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/proc/sys/kernel"], check=True)
os.mkdir("/proc/sys/kernel/yama")
with open("/proc/sys/kernel/yama/ptrace_scope", "w") as file:
    file.write(sys.argv[1] + "\\n")
readv, pread, seccomp = {"x86_64": (310, 17, 317), "aarch64": (270, 67, 277)}[platform.machine()]
load, equal, greater, end, forbidden = 0x20, 0x15, 0x25, 0x06, 0x50001
steps = [(load, 0, 0, 0), (equal, 5, 0, readv), (equal, 0, 5, pread), (load, 0, 0, 44)]
steps += [(greater, 2, 0, 0), (load, 0, 0, 40), (greater, 0, 1, 0x100000)]
steps += [(end, 0, 0, forbidden), (end, 0, 0, 0x7FFF0000)]
steps = b"".join(struct.pack("HBBI", *each) for each in steps)
steps = ctypes.create_string_buffer(steps, len(steps))
program = ctypes.create_string_buffer(struct.pack("HP", len(steps) // 8, ctypes.addressof(steps)))
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert ctypes.CDLL(None).syscall(seccomp, 1, 0, program) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""


@needs_root
def test_a_user_is_told_the_command_that_works_where_yama_forbids_reading() -> None:
    unshare = ["unshare", "-m"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("no namespaces can be made here")
    only = "kernel.yama.ptrace_scope is"
    with start_as_stranger(True) as running:
        root = f"run 'sudo pystuck --pid {running.pid}'"
        permit = (
            "let all users read their own processes with 'sudo sysctl kernel.yama.ptrace_scope=0'"
        )
        expected = {
            1: f"can be read only by its parent or by root, because {only} 1: {root}, or {permit}",
            2: f"can be read only by root, because {only} 2: {root}",
            3: f"cannot be read: {only} 3, and then no process can be read until the machine is "
            "restarted",
        }
        for scope, sentence in expected.items():
            prefix = [*unshare, python(), "-c", YAMA, str(scope), str(STRANGER)]
            done = pystuck("--pid", running.pid, prefix=prefix)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.endswith(f") {sentence}\n"), done.stderr


def start_as_stranger(is_dumpable: bool, before: str = "") -> contextlib.AbstractContextManager:
    """Starts Python as another user. before: code that it executes as root."""
    return start(f"""
import ctypes, os, sys
prctl = ctypes.CDLL(None).prctl
{before}
os.setgid({STRANGER})
os.setuid({STRANGER})
prctl({PR_SET_DUMPABLE}, {int(is_dumpable)}, 0, 0, 0)
print("ready", flush=True)
sys.stdin.readline()
""")


@needs_root
def test_a_user_is_told_which_capabilities_the_process_has() -> None:
    with start_as_stranger(True, f"prctl({PR_SET_KEEPCAPS}, 1, 0, 0, 0)") as running:
        text = as_user(STRANGER, lambda: reason(running.pid, status=1))
        assert "has capabilities that you lack (0x" in text
        assert f"sudo pystuck --pid {running.pid}" in text


def test_a_client_that_may_not_call_process_vm_readv_reads_a_file(
    watched: tuple[Running, dict[str, Any]],
) -> None:
    running, expected = watched
    done = pystuck_after(FORBID_READING, running.pid, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["threads"]) == len(expected) + 1


@needs_root
def test_a_user_reads_an_own_process_but_not_one_that_is_protected() -> None:
    with start_as_stranger(True) as running:
        process = as_user(STRANGER, lambda: read(running.pid))
        assert process["threads"][0]["frames"]
    with start_as_stranger(False) as running:
        text = as_user(STRANGER, lambda: reason(running.pid, status=1))
        assert "not dumpable" in text


def test_a_forked_child_of_a_program_with_a_server_is_read_and_explained() -> None:
    code = """
import os, sys, warnings, pystuck
warnings.simplefilter("ignore")
pystuck.run_server(port=0)
read, write = os.pipe()
def in_the_child():
    os.read(read, 1)
child = os.fork()
if child == 0:
    in_the_child()
    os._exit(0)
print("ready", flush=True)
print(child, flush=True)
sys.stdin.readline()
"""
    with start(code, environment=debuggee_environment()) as running:
        child = int(running.read_line())
        wait_until(lambda: "in_the_child" in pystuck("--pid", child).stdout, "the child's stack")
        done = pystuck("--pid", child)
        assert done.returncode == 0
        assert f"it was forked by process {running.pid}" in done.stderr
        assert "run_server(follow_fork=True)" in done.stderr
        (thread,) = read(child)["threads"]
        assert (thread["native_id"], thread["main"]) == (child, True)


def test_a_program_that_forked_itself_into_the_background_is_read_and_explained() -> None:
    code = """
import os, sys, warnings, pystuck
warnings.simplefilter("ignore")
pystuck.run_server(port=0)
if os.fork():
    os._exit(0)
print("ready", flush=True)
print(os.getpid(), flush=True)
sys.stdin.readline()
"""
    with start(code, environment=debuggee_environment()) as running:
        daemon = int(running.read_line())
        running.popen.wait()
        done = pystuck("--pid", daemon)
        assert done.returncode == 0
        assert "in <module>" in done.stdout
        assert "was forked after run_server()" in done.stderr
        assert "follow_fork=True" in done.stderr


def test_if_the_server_does_not_answer_the_stacks_are_read_from_outside() -> None:
    code = """
import sys, pystuck
pystuck.run_server(port=0)
print("ready", flush=True)
sys.stdin.readline()
"""
    with start(code, environment=debuggee_environment()) as running:
        try:
            os.kill(running.pid, signal.SIGSTOP)
            done = pystuck("--pid", running.pid, "--timeout", "0.3")
            assert done.returncode == 0, done.stderr
            assert "in <module>" in done.stdout
            assert f"the server of process {running.pid} does not answer" in done.stderr
            assert read(running.pid, "--timeout", "0.3")["threads"][0]["state"] == "T"
        finally:
            os.kill(running.pid, signal.SIGCONT)


@pytest.mark.parametrize("asks", ["threading.Thread(target=ask, daemon=True).start()", ""])
def test_c_code_that_keeps_the_gil_is_found_from_outside(asks: str) -> None:
    code = f"""
import re, threading
threading.Thread(target=lambda: threading.Event().wait(), daemon=True).start()
def ask():
    while True:
        pass
{asks}
print("ready", flush=True)
re.match("(a|aa)+$", "a" * 100 + "b")
"""
    with start(code) as running:
        done = wait_until(
            lambda: (
                (found := pystuck("--pid", running.pid)).stdout.startswith("GIL held for") and found
            ),
            "the GIL to be held by C code",
        )
        assert "by MainThread, in C code called from " in done.stdout.splitlines()[0]


def test_a_thread_with_the_gil_that_runs_python_is_no_finding() -> None:
    with start("print('ready', flush=True)\nwhile True: pass") as running:
        process = wait_until(
            lambda: (found := read(running.pid))["gil"]["state"] == "held" and found,
            "the loop to run",
        )
        assert process["findings"] == []
        assert process["gil"]["holder"] == process["threads"][0]["id"]


def test_a_thread_is_never_shown_in_a_system_call_of_other_frames() -> None:
    code = """
import os, threading, time
there, back = os.pipe(), os.pipe()
def echo():
    while os.read(there[0], 1):
        time.sleep(0.002)
        os.write(back[1], b"x")
def reads():
    os.write(there[1], b"x")
    os.read(back[0], 1)
def sleeps():
    time.sleep(0.002)
threading.Thread(target=echo, daemon=True).start()
print("ready", flush=True)
while True:
    sleeps()
    reads()
"""
    sleep = {"clock_nanosleep", "pselect6", "futex"}
    allowed = {"sleeps": sleep, "reads": {"read", "write", "futex"}, "<module>": {"futex"}}
    with start(code) as running:
        for _ in range(15):
            main, *_ = read(running.pid)["threads"]
            call = main["syscall"] and main["syscall"]["name"]
            assert not call or call in allowed[main["frames"][-1]["function"]], main


#: Takes the page with sys.modules from the process: each access to it blocks for ever.
BLOCK_MODULES = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
number = {"x86_64": 323, "aarch64": 282}.get(os.uname().machine, -1)
fd = libc.syscall(number, 0)  # userfaultfd
page = id(sys.modules) & -4096
asked = ctypes.create_string_buffer(struct.pack("=QQQ", 0xAA, 0, 0))
wanted = ctypes.create_string_buffer(struct.pack("=QQQQ", page, 4096, 1, 0))
usable = libc.ioctl(fd, ctypes.c_ulong(0xC018AA3F), asked) == 0
usable = usable and libc.ioctl(fd, ctypes.c_ulong(0xC020AA00), wanted) == 0
print("ready", flush=True)
print(usable, flush=True)
sys.stdin.readline()
libc.madvise(ctypes.c_void_p(page), 4096, 4)  # MADV_DONTNEED
libc.pause()
"""


@needs_root
def test_a_process_whose_memory_blocks_is_given_up() -> None:
    def given_up(*arguments: object) -> subprocess.CompletedProcess[str]:
        return pystuck(*arguments, "--timeout", "0.3", **NO_LEAK_CHECK)

    with start(BLOCK_MODULES) as running:
        if running.read_line() != "True":
            pytest.skip("userfaultfd is not allowed here")
        assert read(running.pid)["threads"]
        running.write("\n")
        done = wait_until(
            lambda: (found := given_up("--pid", running.pid)).returncode and found,
            "the page to be gone",
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "the kernel has not shown its memory for 0.3 s" in done.stderr
        family = json.loads(given_up("--pid", os.getpid(), "--subprocesses", "--json").stdout)
        assert len(family["processes"]) >= 1
        assert f"process {running.pid} " in str(family["failed"])


#: Waits in poll(2) for descriptors whose list is in a page that was taken from the process.
BLOCK_POLL = """
import ctypes, mmap, os, struct, sys, threading
libc = ctypes.CDLL(None)
number = {"x86_64": 323, "aarch64": 282}.get(os.uname().machine, -1)
fd = libc.syscall(number, 0)  # userfaultfd
memory = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
page = ctypes.addressof(ctypes.c_char.from_buffer(memory))
there, back = os.pipe()
memory[:8] = struct.pack("=ihh", there, 1, 0)
asked = ctypes.create_string_buffer(struct.pack("=QQQ", 0xAA, 0, 0))
wanted = ctypes.create_string_buffer(struct.pack("=QQQQ", page, 4096, 1, 0))
usable = libc.ioctl(fd, ctypes.c_ulong(0xC018AA3F), asked) == 0
usable = usable and libc.ioctl(fd, ctypes.c_ulong(0xC020AA00), wanted) == 0
def take():
    sys.stdin.readline()
    libc.madvise(ctypes.c_void_p(page), 4096, 4)  # MADV_DONTNEED
    print("taken", flush=True)
    sys.stdin.readline()
lock = threading.Lock()
threading.Thread(target=take, name="taker", daemon=True).start()
print("ready", flush=True)
print(usable, flush=True)
with lock:
    libc.poll(ctypes.c_void_p(page), ctypes.c_ulong(1), -1)
"""


@needs_root
def test_the_stacks_are_printed_if_the_kernel_blocks_what_is_read_after_them() -> None:
    def given_up(*arguments: object) -> subprocess.CompletedProcess[str]:
        return pystuck(*arguments, "--timeout", "0.3", **NO_LEAK_CHECK)

    with start(BLOCK_POLL) as running:
        if running.read_line() != "True":
            pytest.skip("userfaultfd is not allowed here")
        number = {"x86_64": "7 ", "aarch64": "73 "}[os.uname().machine]
        wait_until(lambda: first_syscall(running.pid).startswith(number), "it to poll")
        main = read(running.pid)["threads"][0]
        assert main["syscall"]["target"]["kind"] == "pipe"
        running.write("\n")
        assert running.read_line() == "taken"
        done = given_up("--pid", running.pid, "--json")
        process = json.loads(done.stdout)
        jsonschema.validate(process, SCHEMA)
        assert done.returncode == 0
        assert (process["pid"], process["source"]) == (running.pid, "pid")
        assert process["python"] == read_version()
        assert [each["name"] for each in process["threads"]] == ["MainThread", "taker"]
        frames = process["threads"][0]["frames"]
        assert [frame["line"] for frame in frames] == [main["frames"][0]["line"]]
        assert process["threads"][0]["holds"] == main["holds"] != []
        assert process["threads"][0]["syscall"] is None
        missing = {each["what"]: each["why"] for each in process["missing"]}
        assert "for 0.3 s" in missing["system calls"]
        assert missing["states of threads"] == missing["system calls"]
        text = given_up("--pid", running.pid)
        assert text.returncode == 0
        assert text.stdout.count("<module>") == 1
        assert "for 0.3 s" in text.stdout
        family = json.loads(given_up("--pid", running.pid, "--subprocesses", "--json").stdout)
        assert (len(family["processes"]), family["failed"]) == (1, None)


#: Starts a process whose ID is sys.argv[1].
REUSE = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
wanted = ctypes.c_int(int(sys.argv[1]))
asked = struct.pack("=10Q", 0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1)
child = libc.syscall(435, ctypes.create_string_buffer(asked), len(asked))  # clone3
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
print(child, flush=True)
sys.stdin.readline()
"""

#: Makes the kernel say that it has no descriptors of processes, as before Linux 5.3.
FORBID_PIDFD = FORBID_READING.replace("number[0]", "434")


def reads_in_progress(pid: int) -> set[str]:
    """The calls of process_vm_readv(2) in which threads of a process are."""
    number = {"x86_64": "310", "aarch64": "270"}[os.uname().machine]
    calls = set()
    for each in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            calls.add((each / "syscall").read_text())
    return {call for call in calls if call.split()[:1] == [number]}


def is_reading(pid: int) -> bool:
    """Returns True if a thread of a process stays in one call of process_vm_readv(2)."""
    before = reads_in_progress(pid)
    time.sleep(0.1 if before else 0)
    return bool(before & reads_in_progress(pid))


@needs_root
@pytest.mark.skipif(shutil.which("setarch") is None, reason="needs setarch")
@pytest.mark.parametrize("client", ["with pidfd", "without pidfd"])
def test_another_process_that_gets_the_id_meanwhile_is_not_taken_for_it(client: str) -> None:
    """The other process has the same memory, so that only its start tells the two apart."""
    program = [shutil.which("setarch") or "", "-R", python(), "-c", BLOCK_MODULES]
    environment = clean_environment(PYTHONHASHSEED="0")
    first = Running(program, environment)
    running = [first]
    try:
        assert first.read_line() == "ready"
        if first.read_line() != "True":
            pytest.skip("userfaultfd is not allowed here")
        first.write("\n")
        prepare = "" if client == "with pidfd" else FORBID_PIDFD
        code = f"import ctypes, os, sys\n{prepare}\nos.execv(sys.argv[1], sys.argv[1:])"
        reader = c_program("PYSTUCK_BIN", "--pid", first.pid, "--timeout", PATIENCE)
        wait_until(lambda: "0x0" not in first_syscall(first.pid), "the page to be gone")
        running.append(Running([python(), "-c", code, *reader], clean_environment()))
        wait_until(lambda: is_reading(running[1].pid), "pystuck to be blocked")
        os.kill(running[1].pid, signal.SIGSTOP)
        first.kill()
        running.append(Running([python(), "-c", REUSE, str(first.pid), *program], environment))
        started = {running[2].read_line()}
        if started == {"-1"}:
            pytest.skip("the ID of a new process cannot be chosen here")
        started |= {running[2].read_line(), running[2].read_line()}
        assert started == {str(first.pid), "ready", "True"}
        os.kill(running[1].pid, signal.SIGCONT)
        assert running[1].wait() == 2, running[1].read_rest()
        assert running[1].stderr().startswith(f"pystuck: process {first.pid} (")
        ends = (") has ended\n", ") ended while its stacks were read\n")
        assert running[1].stderr().endswith(ends)
        assert read(first.pid)["threads"]
    finally:
        for each in running:
            each.kill()


def test_a_process_that_is_no_python_is_said_to_be_none() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            wait_until(
                lambda: "(sleep 1000)" in pystuck("--pid", process.pid).stderr, "it to be started"
            )
            for arguments in ([], ["--subprocesses"]):
                text = reason(process.pid, *arguments, status=2)
                assert text.endswith(f"process {process.pid} (sleep 1000) does not run Python")
        finally:
            process.kill()


def test_a_process_that_has_ended_is_said_to_have_ended() -> None:
    with subprocess.Popen(["true"]) as process:
        wait_until(lambda: ") Z " in open(f"/proc/{process.pid}/stat").read(), "it to have ended")
        assert "has ended" in reason(process.pid, status=2)


@needs_root
def test_a_thread_of_the_kernel_has_no_memory() -> None:
    try:
        with open("/proc/2/comm") as file:
            if file.read() != "kthreadd\n":
                pytest.skip("the threads of the kernel are not shown here")
    except OSError:
        pytest.skip("the threads of the kernel are not shown here")
    assert "thread of the kernel" in reason(2, status=2)


def test_a_python_whose_file_was_deleted_or_is_in_another_root_is_read(tmp_path: Any) -> None:
    """The symbols are read from the memory of the process, so no file is opened."""
    code = """
import os, sys
os.chdir("/")
print("ready", flush=True)
sys.stdin.readline()
"""
    copy = tmp_path / "python"
    copy.write_bytes(open(os.path.realpath(python()), "rb").read())
    copy.chmod(0o755)
    prefix = subprocess.check_output(
        [python(), "-c", "import sys; print(sys.base_prefix)"], text=True
    ).strip()
    running = Running([str(copy), "-c", code], clean_environment(PYTHONHOME=prefix))
    try:
        assert running.read_line() == "ready"
        copy.unlink()
        assert read(running.pid)["threads"][0]["frames"][0]["function"] == "<module>"
    finally:
        running.kill()


@needs_root
def test_in_a_container_threads_have_the_ids_that_they_have_there() -> None:
    code = """
import os, signal, sys, threading
child = os.fork()
if child == 0:
    signal.pause()
ends = os.pipe()
threading.Thread(target=os.waitpid, args=(child, 0), name="waits", daemon=True).start()
threading.Thread(target=os.read, args=(ends[0], 1), name="reads", daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
"""
    container = ["unshare", "--pid", "--fork", "--uts"]
    if subprocess.run([*container, "true"], check=False).returncode != 0:
        pytest.skip("no namespaces can be made here")
    running = Running([*container, python(), "-c", code], clean_environment())
    try:
        assert running.read_line() == "ready"
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        pid = int(children)
        process = wait_until(
            lambda: (found := read(pid)) and all(t["syscall"] for t in found["threads"]) and found,
            "the threads to wait",
        )
        main, *others = process["threads"]
        inner = {each["name"]: each for each in others}
        assert (process["pid"], process["host"]) == (1, None)
        assert process["id"].startswith(f"{pid}@")
        assert (main["native_id"], main["main"], main["exact"]) == (1, True, True)
        waits, reads = inner["waits"], inner["reads"]
        assert (waits["main"], waits["exact"]) == (False, True)
        assert waits["native_id"] < pid
        # The argument of wait4 is an ID of the container, so no process is named.
        assert (waits["syscall"]["name"], waits["syscall"]["target"]) == ("wait4", None)
        assert not any("waits for the end of process" in note for note in waits["notes"])
        assert reads["syscall"]["target"]["peer_pid"] == pid
        (note,) = reads["notes"]
        assert "this process itself has the other end" in note
    finally:
        running.kill()


def shared_library() -> Path:
    """The shared library of the Python of the tests. Skips the test if there is none."""
    where = (
        "import sysconfig as s; print(s.get_config_var('LIBDIR'), s.get_config_var('LDLIBRARY'))"
    )
    folder, name = subprocess.check_output([python(), "-c", where], text=True).split()
    if not (library := Path(folder, name)).exists() or ".so" not in name:
        pytest.skip("this Python has no shared library")
    return library


def test_a_second_python_in_the_process_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "libpython-copy.so"
    copy.write_bytes(shared_library().read_bytes())
    code = f"""
import ctypes, sys
ctypes.CDLL({str(copy)!r})
print("ready", flush=True)
sys.stdin.readline()
"""
    with start(code) as running:
        done = pystuck("--pid", running.pid)
        assert done.returncode == 0
        assert "in <module>" in done.stdout
        assert "also has loaded Python 3." in done.stderr
        assert "but does not run it" in done.stderr


#: Runs another Python, which has a deadlock, in a thread. The thread that loads the library must be
#: the one that uses it.
SECOND_PYTHON = """
import ctypes, os, sys, threading
def run():
    libc = ctypes.CDLL(None)
    libc.dlmopen.restype = ctypes.c_void_p
    handle = libc.dlmopen(ctypes.c_long(-1), sys.argv[1].encode(), os.RTLD_NOW)
    library = ctypes.CDLL(None, handle=handle)
    library.Py_InitializeEx(0)
    library.PyRun_SimpleString(b'''
import threading
lock = threading.Lock()
def inner():
    with lock:
        print("ready", flush=True)
        with lock:
            pass
inner()
''')
threading.Thread(target=run, daemon=True).start()
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "dlmopen"), reason="needs dlmopen")
def test_each_python_that_runs_in_the_process_has_an_entry(tmp_path: Path) -> None:
    argv = [python(), "-c", SECOND_PYTHON, str(shared_library())]
    running = Running(argv, clean_environment())
    try:
        assert running.read_line() == "ready"
        wait_until(lambda: "DEADLOCK" in pystuck("--pid", running.pid).stdout, "the deadlock")
        core = cores.write(running.pid, tmp_path / "core")
        for how in (["--pid", running.pid], ["--core", core], ["--pid", running.pid, "--subproc"]):
            done = pystuck(*how, "--check")
            assert (done.returncode, done.stdout.count("DEADLOCK: ")) == (3, 1), done.stdout
        for arguments in (["--pid", running.pid], ["--core", core]):
            done = pystuck(*arguments, "--json")
            assert done.returncode == 0, done.stderr
            report = json.loads(done.stdout)
            processes = report["processes"]
            assert [each["pid"] for each in processes] == [running.pid] * 2
            stacks = [
                [[frame["function"] for frame in thread["frames"]] for thread in each["threads"]]
                for each in processes
            ]
            assert [["<module>", "inner"]] in stacks
            assert any(each[:1] == [["<module>"]] and each[1][-1] == "run" for each in stacks)
            text = pystuck(*arguments).stdout
            assert text.count(f"process {running.pid}, Python 3.") == 2
        family = json.loads(pystuck("--pid", running.pid, "--subprocesses", "--json").stdout)
        assert len({each["id"] for each in family["processes"]}) == 2
    finally:
        running.kill()


def test_a_program_that_is_stuck_while_python_ends_is_read() -> None:
    """At that time, sys.modules is empty."""
    code = """
import os
class Last:
    def __del__(self, read=os.read, write=os.write):
        write(1, b"ready\\n")
        read(0, 1)
last = Last()
"""
    with start(code) as running:
        (thread,) = read(running.pid)["threads"]
        assert [frame["function"] for frame in thread["frames"]] == ["__del__"]


def test_threads_that_threading_does_not_know_have_their_native_id() -> None:
    code = """
import _thread, os, sys
sys.modules["greenlet"] = sys.modules["asyncio.tasks"] = os  # as if they were imported
def work():
    print(_thread.get_native_id(), flush=True)
    os.read(0, 1)
print("ready", flush=True)
_thread.start_new_thread(work, ())
sys.stdin.readline()
"""
    # What is installed may import threading, so -S.
    with start(code, "-S") as running:
        tid = int(running.read_line())
        process = read(running.pid)
        assert (process["greenlets"], process["tasks"]) == (None, None)
        missing = [each["what"] for each in process["missing"]]
        assert missing == ["repr", "tasks", "greenlets"]
        text = pystuck("--pid", running.pid).stdout
        assert "__repr__, asyncio tasks (the stacks were read from outside the process), " in text
        assert ", greenlets (pystuck cannot find them in the memory of a process" in text
        main, other = process["threads"]
        assert (main["native_id"], other["native_id"]) == (running.pid, tid)
        assert other["repr"] == f"<thread {other['ident']} (not started by threading)>"
        assert main["repr"] == f"<main thread {main['ident']}>"


def both_are_read(pid: int) -> dict[str, Any] | None:
    """The answer to --subprocesses, if two processes run their code already."""
    done = pystuck("--pid", pid, "--subprocesses", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    stacks = [each["threads"][0]["frames"] for each in report["processes"]]
    ready = len(stacks) == 2 and all(frames and frames[0]["line"] for frames in stacks)
    return report if ready else None


@starts_a_shell
def test_subprocesses_are_read_as_well() -> None:
    code = """
import subprocess, sys, threading
def wait():
    sys.stdin.readline()
if len(sys.argv) > 1:
    wait()
children = [
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.readline()"]),
    subprocess.Popen(["sleep", "1000"]),
]
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
print("ready", flush=True)
print(thread.native_id, flush=True)
wait()
"""
    with start(code) as running:
        thread = int(running.read_line())
        report = wait_until(lambda: both_are_read(running.pid), "both processes to be read")
        assert [each["pid"] for each in report["processes"]][0] == running.pid
        assert [each["ppid"] for each in report["processes"]][1] == running.pid
        jsonschema.validate(report["processes"][1], SCHEMA)
        shape = copy.deepcopy(SCHEMA["definitions"]["report"])
        del shape["properties"]["processes"]["items"]
        jsonschema.validate(report, shape)
        (failed,) = report["failed"]
        assert "(sleep 1000) does not run Python" in failed["why"]
        text = pystuck("--pid", running.pid, "--subprocesses").stdout
        pids = [each["pid"] for each in report["processes"]]
        assert all(f"process {pid} (" in text for pid in pids)
        of_thread = both_are_read(thread)
        assert of_thread and [each["pid"] for each in of_thread["processes"]] == pids


@starts_a_shell
def test_a_python_that_a_shell_has_started_is_found() -> None:
    """The deadlock of a process sets the exit status of --check for its whole family."""
    code = """
import threading
lock = threading.Lock()
with lock:
    print("ready", flush=True)
    with lock:
        pass
"""
    shell = Running(["sh", "-c", '"$@"; true', "sh", python(), "-c", code], clean_environment())
    children: list[str] = []
    try:
        assert shell.read_line() == "ready"
        children += Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        (child,) = children
        text = reason(shell.pid, status=2)
        assert f"process {shell.pid} (sh -c " in text
        assert f"does not run Python. Its descendant {child} (" in text
        assert f"run 'pystuck --pid {child}', or 'pystuck --pid {shell.pid} --subproc" in text
        family = ("--pid", shell.pid, "--subprocesses")
        wait_until(lambda: pystuck(*family, "--check").returncode == 3, "the deadlock")
        report = json.loads(pystuck(*family, "--json").stdout)
        assert [str(each["pid"]) for each in report["processes"]] == [child]
        assert [each["target"] for each in report["failed"]] == [str(shell.pid)]
        text = pystuck(*family).stdout
        assert text.index("does not run Python") < text.index(f"process {child} (")
    finally:
        for each in children:
            os.kill(int(each), signal.SIGKILL)
        shell.kill()


#: What is said about a process that starts or ends meanwhile, by the exit status of pystuck. Status
#: 1: its threads are gone, but the process has not ended yet.
SENTENCES_ABOUT_ENDING = {
    0: ("has no pystuck server. To open a prompt, the process must",),
    1: ("has no threads whose stacks can be read",),
    2: (
        "has ended",
        "ended while its stacks were read",
        "there is no process",
        "does not run Python",  # it has not loaded libpython yet
        "but does not run it: Python has not started yet, or has ended",
        "memory of this Python is not laid out as expected: Python is just starting or",
        "has no memory: it is a thread of the kernel, or is about to end",
    ),
}


def test_processes_that_end_while_they_are_read_are_told_apart() -> None:
    """Each answer is a stack or a sentence, whenever the process ends."""
    for delay in range(6):
        with subprocess.Popen([python(), "-I", "-S", "-c", "pass"]) as process:
            for _ in range(delay):
                pystuck("--version")
            done = pystuck("--pid", process.pid)
            assert (done.returncode == 0) == bool(done.stdout), done.stderr
            assert done.returncode != 0 or "<" in done.stdout, done.stdout
            sentences = SENTENCES_ABOUT_ENDING[done.returncode]
            assert any(each in done.stderr for each in sentences), done.stderr
            assert f"process {process.pid}" in done.stderr
