# SPDX-License-Identifier: BSD-3-Clause
"""Real processes for the interop tests: started, watched, and gone when the test is."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401  connecting needs it; another user may not be able to read it
import functools
import json
import os
import pickle
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import cases
import figures
import pytest
from programs import rights

PROGRAMS = Path(__file__).parent / "programs"

SANITIZED = os.environ.get("PYSTUCK_SANITIZED", "") not in ("", "0", "no")

#: With ThreadSanitizer, that is, and not with the others.
THREAD_SANITIZED = os.environ.get("PYSTUCK_SANITIZED") == "thread"

ADDRESS_SANITIZED = SANITIZED and not THREAD_SANITIZED

#: Marks a test whose program forks while it has threads, and has the child start some.
starts_threads_in_a_child = pytest.mark.skipif(
    THREAD_SANITIZED,
    reason="ThreadSanitizer ends a child whose threads have the idents of the parent's",
)

#: A prefix for the command lines of pystuck's C programs, such as valgrind with its options.
WRAPPER = shlex.split(os.environ.get("PYSTUCK_WRAPPER", ""))

#: Seconds that anything here may take before it counts as a hang.
PATIENCE = 40.0 if SANITIZED or WRAPPER else 10.0

#: The most seconds that `wait_until` counts for one look.
LOOK = 0.5

#: Signals of a program that is broken.
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)

#: A uid that no user has: neither root, nor the tests' own, nor the kernel's overflow uid (65534).
STRANGER = 65533

#: ... and one whose program starts a shell.
starts_a_shell = pytest.mark.skipif(
    THREAD_SANITIZED, reason="shells do not run with ThreadSanitizer's library in them"
)

#: ... and one that looks at every thread of a program.
looks_at_every_thread = pytest.mark.skipif(
    THREAD_SANITIZED, reason="one thread is ThreadSanitizer's, which wakes up all the time"
)


def build_setting(name: str) -> str:
    """The value of an environment variable that the build gives to the tests."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: these tests are run by `make check`", pytrace=False)
    return value


def c_program(name: str, *arguments: object) -> list[str]:
    """The command line of a C program that was built; an environment variable has its path."""
    return [*WRAPPER, build_setting(name), *map(str, arguments)]


def wait_until(
    condition: Callable[[], Any],
    what: str,
    timeout: float = PATIENCE,
    counts_as: figures.Figure = "hangs",
    details: Callable[[], str] = str,
) -> Any:
    """Polls `condition` until it returns something true, and returns that.

    `details` says what to add where it waited in vain. A machine that stands still for a while, and
    all its programs with it, has not waited for longer than one look takes.
    """
    patience, now = timeout, time.monotonic()
    while not (result := condition()):
        if patience < 0:
            figures.add(counts_as)
            pytest.fail(f"waited {timeout:g} s in vain: {what}\n{details()}".rstrip())
        time.sleep(0.005)
        before, now = now, time.monotonic()
        patience -= min(now - before, LOOK)
    return result


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without what would change a Python or an rpyc that is started in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "RPYC_")) and name not in ("LD_PRELOAD", "PYSTUCK")
    }
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"} | more


def debuggee_environment(**more: str) -> dict[str, str]:
    """The environment in which `import pystuck` finds the one that was built."""
    environment = clean_environment(PYTHONPATH=build_setting("PYSTUCK_PYTHONPATH"))
    if preload := os.environ.get("PYSTUCK_PRELOAD"):
        environment["LD_PRELOAD"] = preload
    if SANITIZED:
        # With malloc beneath Python's objects the sanitizers see each of them. Python does not give
        # all back at its end, so there is no look for leaks then: `assert_no_leaks` is for that. A
        # quarantine of freed memory would look like memory that is not given back. And a thread
        # that Python ends with pthread_exit leaves its stack marked as in use, which the sanitizer
        # itself falls over when it puts away its sigaltstack.
        options = "leak_check_at_exit=0:quarantine_size_mb=4:use_sigaltstack=0"
        environment["ASAN_OPTIONS"] = f"{environment.get('ASAN_OPTIONS', '')}:{options}"
        environment["PYTHONMALLOC"] = "malloc"
    return environment | more


def stock_environment(*settings: str, **more: str) -> dict[str, str]:
    """An environment with stock packages: `settings` name the build's variables, in order."""
    path = os.pathsep.join(build_setting(name) for name in settings)
    return clean_environment(PYTHONPATH=path) | more


def python() -> str:
    """The interpreter that the module was built for."""
    return build_setting("PYSTUCK_PYTHON")


def pystuck(
    *arguments: object, stdin: str = "", timeout: float = PATIENCE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs the client."""
    return subprocess.run(
        c_program("PYSTUCK_BIN", *arguments),
        env=clean_environment(**environment),
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


class Running:
    """A process and what it prints; in a session of its own, all of which `kill` ends."""

    def __init__(self, argv: list[str], env: dict[str, str], **options: Any) -> None:
        self._errors = tempfile.TemporaryFile()
        self._unread = b""
        self._killed = False
        self.popen = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=env,
            start_new_session=True,
            **options,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.popen.pid

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.popen.poll() is None

    def write(self, text: str) -> None:
        """Writes to the process's stdin."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def has_printed(self) -> bool:
        """Whether there is something to be read from stdout."""
        assert self.popen.stdout is not None
        return bool(self._unread or select.select([self.popen.stdout], [], [], 0)[0])

    def _read_more(self, deadline: float) -> bool:
        assert self.popen.stdout is not None
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self.popen.stdout], [], [], left)[0]:
            figures.add("hangs")
            pytest.fail(f"pid {self.pid} prints nothing; stderr: {self.stderr()!r}")
        data = os.read(self.popen.stdout.fileno(), 65536)
        self._unread += data
        return bool(data)

    def read_line(self, timeout: float = PATIENCE) -> str:
        """The next line of stdout, without its end."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            if not self._read_more(deadline):
                status = self.wait()
                pytest.fail(f"pid {self.pid} ended with {status}; stderr: {self.stderr()}")
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def read_rest(self, timeout: float = PATIENCE) -> str:
        """What is left of stdout, up to its end."""
        deadline = time.monotonic() + timeout
        while self._read_more(deadline):
            pass
        rest, self._unread = self._unread, b""
        return rest.decode()

    def stderr(self) -> str:
        """All that the process has written to stderr up to now."""
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for the end of the process and returns its status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            figures.add("hangs")
            pytest.fail(f"pid {self.pid} does not end; stderr: {self.stderr()!r}")

    def has_crashed(self) -> bool:
        """Whether it has ended as no program should."""
        status = self.popen.poll()
        return status is not None and (-status in CRASHES or "Sanitizer" in self.stderr())

    def kill(self) -> None:
        """Ends the process and its children, and frees what belongs to it here."""
        if self._killed:
            return
        self._killed = True
        if self.has_crashed():
            figures.add("crashes")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._errors.close()


class Debuggee(Running):
    """A program that has called `pystuck.run_server` and printed where, as JSON.

    Everything that a test does to it has to leave it as it was: `end_well` says so, and the
    fixture that made it calls that for every test.
    """

    def __init__(self, argv: list[str], env: dict[str, str], **options: Any) -> None:
        super().__init__(argv, env, **options)
        self.ended = False
        try:
            self.told = json.loads(self.read_line())
        except BaseException:
            self.kill()
            raise
        self.host: str | None = self.told.get("host")
        self.port: int | None = self.told.get("port")
        self.unix_socket: str | None = self.told.get("unix_socket")

    @property
    def address(self) -> dict[str, Any]:
        """Where its server is, in a form that can be sent to another process."""
        return {"host": self.host, "port": self.port, "unix_socket": self.unix_socket}

    def end_well(self) -> None:
        """Gives the program what it is stuck for, and checks that it ends as if alone."""
        self.ended = True
        with contextlib.suppress(BrokenPipeError):  # it has gone on to its end already
            self.write("go on\n")
        status = self.wait()
        if status != 0 or self.stderr():
            pytest.fail(f"ended with {status}, and on stderr: {self.stderr()}", pytrace=False)
        assert self.read_rest() == "went on\n"

    # What the kernel knows of it.

    def _proc(self, name: str) -> Path:
        return Path("/proc") / str(self.pid) / name

    def status(self, field: str) -> str:
        """One field of /proc/PID/status."""
        for line in self._proc("status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
        raise KeyError(field)

    def rss(self) -> int:
        """Resident memory, in bytes."""
        return int(self.status("VmRSS").split()[0]) * 1024

    def peak_rss(self) -> int:
        """The most resident memory since `reset_peak_rss`, in bytes."""
        return int(self.status("VmHWM").split()[0]) * 1024

    def reset_peak_rss(self) -> None:
        """Lets `peak_rss` start anew, where the kernel allows it; else at the process's start."""
        with contextlib.suppress(OSError):
            self._proc("clear_refs").write_text("5")

    def threads(self) -> set[int]:
        """The ids of its native threads."""
        return {int(name) for name in os.listdir(self._proc("task"))}

    def holdings(self) -> tuple[dict[int, str], set[int]]:
        """What it has now, for `wait_until_back_to`."""
        return self.descriptors(), self.threads()

    def wait_until_back_to(self, before: tuple[dict[int, str], set[int]]) -> None:
        """Waits until it has no descriptors and native threads that it did not have before."""
        descriptors, threads = before
        wait_until(
            lambda: self.descriptors().items() <= descriptors.items(),
            "sockets to be closed",
            counts_as="leaks",
        )
        wait_until(
            lambda: self.threads() <= threads,
            "threads to end",
            counts_as="leaks",
            details=lambda: self.describe_threads(self.threads() - threads),
        )

    def describe_threads(self, threads: set[int]) -> str:
        """What these native threads are doing, for the message of a failure."""
        lines = []
        for thread in sorted(threads):
            with contextlib.suppress(OSError):  # it has ended, or only root may see that
                name, state, call = (
                    self._proc(f"task/{thread}/{file}").read_text()
                    for file in ("comm", "stat", "syscall")
                )
                state = state.rpartition(") ")[2][0]
                lines.append(f"{thread} {name.strip()}: state {state}, system call {call.strip()}")
        with contextlib.suppress(OSError):
            gdb = ["gdb", "-p", str(self.pid), "-batch", "-nx", "-ex", "thread apply all bt"]
            done = subprocess.run(gdb, capture_output=True, text=True, timeout=60, check=False)
            lines.append(done.stdout)
        return "\n".join(lines)

    def descriptors(self) -> dict[int, str]:
        """Its open file descriptors and what they are."""
        found = {}
        for name in os.listdir(self._proc("fd")):
            with contextlib.suppress(FileNotFoundError):
                found[int(name)] = os.readlink(self._proc("fd") / name)
        return found


def command(program: str, *arguments: str) -> list[str]:
    """The command line for one of the programs beside the tests."""
    return [python(), str(PROGRAMS / program), *arguments]


#: What the main thread does: the code that stdin gives, as JSON, line by line. The answer, on the
#: program's own stdout, is the exception, or None.
OBEY = """
for line in sys.stdin:
    try:
        exec(json.loads(line))
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    else:
        answer = None
    sys.__stdout__.write(json.dumps(answer) + "\\n")
    sys.__stdout__.flush()
"""


def order(debuggee: Debuggee, code: str) -> None:
    """Has the main thread do something, and does not wait for it."""
    debuggee.write(json.dumps(code) + "\n")


def tell(debuggee: Debuggee, code: str) -> str | None:
    """Has the main thread do something; the exception that comes of it, if one does."""
    order(debuggee, code)
    return json.loads(debuggee.read_line())


#: What a request may be in the middle of: expressions that do not come to an end.
BUSY = {
    "sleeping": "__import__('time').sleep(1000)",
    "computing": "sum(x for x in iter(int, 1))",
    "waiting for a lock": "(lambda l: (l.acquire(), l.acquire()))(__import__('threading').Lock())",
    "reading": "__import__('os').read(__import__('os').pipe()[0], 1)",
}


def is_gone(pid: int) -> bool:
    """Whether a process has ended. It may be a zombie."""
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


def links(pid: int) -> list[str]:
    """What the descriptors of a process are."""
    fds, found = Path("/proc") / str(pid) / "fd", []
    for name in os.listdir(fds):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(fds / name))
    return found


def run_python(
    code: str, *arguments: str, timeout: float = PATIENCE, **more: str
) -> dict[str, Any]:
    """Runs `code` where pystuck can be imported; returns the JSON that it prints last."""
    done = subprocess.run(
        [python(), "-c", code, *arguments],
        env=debuggee_environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return json.loads(done.stdout)


class Stock(NamedTuple):
    """A stock rpyc: which of them, and whether it binds threads."""

    generation: str
    bound: bool = False

    def __str__(self) -> str:
        return self.generation + "-bound" * self.bound

    def environment(self, *more_settings: str) -> dict[str, str]:
        """The environment of a process that uses it, with more of the build's packages."""
        more = {"RPYC_BIND_THREADS": "true"} if self.bound else {}
        return stock_environment(f"PYSTUCK_{self.generation.upper()}", *more_settings, **more)


RPYC4, RPYC5, RPYC6 = Stock("rpyc4"), Stock("rpyc5"), Stock("rpyc6")
RPYC5_BOUND, RPYC6_BOUND = Stock("rpyc5", True), Stock("rpyc6", True)


#: The servers that the client is tried at: ours, and stock's.
SERVERS = [None, RPYC4, RPYC5, RPYC6, RPYC5_BOUND, RPYC6_BOUND]


def start_stuck(stock: Stock | None = None, *more_settings: str) -> Debuggee:
    """The stuck program, with our server in it or one of a stock rpyc.

    `more_settings` are more of the build's packages for it.
    """
    if stock is None:
        env = debuggee_environment()
        more = [build_setting(name) for name in more_settings]
        env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *more])
        return Debuggee(command("stuck.py", '{"port": 0}'), env)
    return Debuggee(command("stock_server.py", "SlaveService"), stock.environment(*more_settings))


class StockClient(Running):
    """A process with one of the stock rpyc versions, which runs cases (see cases.py).

    `modules` define its cases; `more_settings` name more of the build's packages for it.
    """

    MODULES = (
        "basic_cases",
        "value_cases",
        "exception_cases",
        "server_object_cases",
        "client_object_cases",
        "lifetime_cases",
        "helper_cases",
        "object_cases",
        "hang_cases",
        "chain_cases",
    )

    def __init__(
        self, stock: Stock, modules: tuple[str, ...] = MODULES, more_settings: tuple[str, ...] = ()
    ) -> None:
        script = Path(__file__).parent / "stock_client.py"
        argv = [python(), "-u", str(script), str(0.8 * PATIENCE), *modules]
        super().__init__(argv, stock.environment(*more_settings))
        self.stock = stock
        self.busy = False
        self.version = self.read_line()

    def start(self, case: str, debuggee: Debuggee, **more: Any) -> None:
        """Starts a case and does not wait for it; it may be told more than the address."""
        self.busy = True
        self.write(json.dumps({"case": case, "address": debuggee.address | more}) + "\n")

    def finish(self) -> None:
        """Waits for the case that was started; fails as it did."""
        answer = json.loads(self.read_line())
        self.busy = False
        if answer["failure"]:
            pytest.fail(f"under rpyc {self.version}:\n{answer['failure']}", pytrace=False)


def differences(case: str, client: Stock, server: Stock | None) -> list[cases.Differs]:
    """Why a case does not hold with this client at this server."""
    names = str(client), str(server or "ours")
    return [each for each in cases.DIFFERENCES[case] if each.concerns(*names)]


def expect_difference(
    request: pytest.FixtureRequest, case: str, client: Stock, server: Stock | None
) -> None:
    """Has the test fail unless the case fails, where it says that it does not hold."""
    for difference in differences(case, client, server):
        if difference.hangs:
            pytest.skip(difference.why)
        reason, failure = difference.why, pytest.fail.Exception
        request.applymarker(pytest.mark.xfail(reason=reason, raises=failure, strict=True))


def make_capable(path: Path, capabilities: int) -> None:
    """Gives a program's file capabilities, or skips the test."""
    vfs_cap_revision_2, effective = 0x02000000, 1
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    value = struct.pack("<5I", vfs_cap_revision_2 | effective, low, 0, high, 0)
    try:
        os.setxattr(path, "security.capability", value)
    except OSError as error:
        pytest.skip(f"no file capabilities here: {error}")


def as_user(
    uid: int,
    function: Callable[[], Any],
    gid: int | None = None,
    groups: Sequence[int] = (),
    capabilities: int = 0,
) -> Any:
    """The result of `function`, called in a forked child that has become another user, in the
    group `gid` (the one with the user's number) and in `groups`, with `capabilities`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        gid = uid if gid is None else gid
        become = functools.partial(rights.become, [uid] * 3, [gid] * 3, groups, capabilities)
        _child_of_as_user(become, function, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        watchdog = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGKILL))
        watchdog.start()
        answer = pipe.read()
        watchdog.cancel()
    _, status = os.waitpid(pid, 0)
    assert (status, bool(answer)) == (0, True), f"the child ended with {status}"
    succeeded, result = pickle.loads(answer)
    if not succeeded:
        pytest.fail(f"as user {uid}:\n{result}", pytrace=False)
    return result


def _child_of_as_user(
    become: Callable[[], None], function: Callable[[], Any], writer: int
) -> NoReturn:
    try:
        become()
        answer = (True, function())
    except BaseException:
        answer = (False, traceback.format_exc())
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
    finally:
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        os._exit(0)
