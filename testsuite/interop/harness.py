# SPDX-License-Identifier: BSD-3-Clause
"""Real processes for the interop tests: starts them, reads their output, kills them at the end."""

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import cases
import figures
import pytest
from programs import rights

PROGRAMS = Path(__file__).parent / "programs"

SANITIZED = os.environ.get("PYSTUCK_SANITIZED", "") not in ("", "0", "no")

#: True in a build with ThreadSanitizer.
THREAD_SANITIZED = os.environ.get("PYSTUCK_SANITIZED") == "thread"

ADDRESS_SANITIZED = SANITIZED and not THREAD_SANITIZED

#: Skips, with ThreadSanitizer, a test whose program forks while it has threads, if the child starts
#: threads.
starts_threads_in_a_child = pytest.mark.skipif(
    THREAD_SANITIZED,
    reason="ThreadSanitizer ends a child whose threads have the idents of its parent's threads",
)

#: A prefix for the command lines of pystuck's C programs, such as valgrind with its options.
WRAPPER = shlex.split(os.environ.get("PYSTUCK_WRAPPER", ""))

#: Seconds after which a step of a test counts as a hang. The machine may be busy.
PATIENCE = 40.0

#: The most seconds that `wait_until` counts between two calls of the condition.
LOOK = 0.5

#: The most seconds between two calls of the condition, on an idle machine: the first ones follow
#: each other quickly, for a short test, and later ones slowly, for other tests that run meanwhile.
PAUSE_MAX = 0.02

#: Signals that end a program because of a fault in it.
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)

#: A uid without a user. It differs from root, from the tests' own uid, and from the kernel's
#: overflow uid (65534).
STRANGER = 65533

#: Skips, with ThreadSanitizer, a test whose program starts a shell.
starts_a_shell = pytest.mark.skipif(
    THREAD_SANITIZED, reason="shells do not run with the preloaded library of ThreadSanitizer"
)

#: Skips, with ThreadSanitizer, a test that checks every thread of a program.
looks_at_every_thread = pytest.mark.skipif(
    THREAD_SANITIZED, reason="ThreadSanitizer has a thread of its own, which often wakes up"
)


def build_setting(name: str) -> str:
    """Returns the value of an environment variable that the build sets for the tests."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: run the tests with `make check`", pytrace=False)
    return value


def c_program(name: str, *arguments: object) -> list[str]:
    """Returns the command line of a C program; the environment variable `name` has its path."""
    return [*WRAPPER, build_setting(name), *map(str, arguments)]


def wait_until(
    condition: Callable[[], Any],
    what: str,
    timeout: float = PATIENCE,
    counts_as: figures.Figure = "hangs",
    details: Callable[[], str] = str,
) -> Any:
    """Polls `condition` until its result is true, and returns the result.

    Fails the test after `timeout` seconds, with the text that `details` returns. If the machine is
    suspended, or too busy to run this process, at most LOOK seconds of that time are counted.
    """
    patience, now, pause = timeout, time.monotonic(), 0.001
    while not (result := condition()):
        if patience < 0:
            figures.add(counts_as)
            pytest.fail(f"waited {timeout:g} s in vain for {what}\n{details()}".rstrip())
        time.sleep(pause)
        pause = min(2 * pause, PAUSE_MAX)
        before, now = now, time.monotonic()
        patience -= min(now - before, LOOK)
    return result


def clean_environment(**more: str) -> dict[str, str]:
    """Returns the environment without the variables that change the behaviour of Python or rpyc.

    The tests start thousands of programs: compiled modules are kept where run-interop says, since
    nothing may be written beside the sources.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "RPYC_")) and name not in ("LD_PRELOAD", "PYSTUCK")
    }
    prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    cache = {"PYTHONPYCACHEPREFIX": prefix} if prefix else {"PYTHONDONTWRITEBYTECODE": "1"}
    return kept | cache | {"NO_COLOR": "1"} | more


def debuggee_environment(**more: str) -> dict[str, str]:
    """Returns the environment in which `import pystuck` imports the package of the build."""
    environment = clean_environment(PYTHONPATH=build_setting("PYSTUCK_PYTHONPATH"))
    if preload := os.environ.get("PYSTUCK_PRELOAD"):
        environment["LD_PRELOAD"] = preload
    if SANITIZED:
        # With PYTHONMALLOC=malloc the sanitizers check each Python object. Python does not free all
        # memory at its end, so leaks are not checked there, but by `assert_no_leaks`. A large
        # quarantine of freed memory would look like a leak. When Python ends a thread with
        # pthread_exit, its stack stays marked as in use, and the sanitizer crashes when it frees
        # its alternate signal stack: so it must not use one.
        options = "leak_check_at_exit=0:quarantine_size_mb=4:use_sigaltstack=0"
        environment["ASAN_OPTIONS"] = f"{environment.get('ASAN_OPTIONS', '')}:{options}"
        environment["PYTHONMALLOC"] = "malloc"
    return environment | more


def stock_environment(*settings: str, **more: str) -> dict[str, str]:
    """Returns an environment with stock packages. `settings`: the build's variables with their
    directories, in the order of the search."""
    path = os.pathsep.join(build_setting(name) for name in settings)
    return clean_environment(PYTHONPATH=path) | more


def python() -> str:
    """Returns the path of the interpreter that the extension was built for."""
    return build_setting("PYSTUCK_PYTHON")


#: A thread that is blocked in the kernel remains. The sanitizers' check for leaks, which stops all
#: threads, would wait for it.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "leak_check_at_exit=0"}


def run_program(
    argv: Sequence[object], *, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs a program without input, and waits for its end. env: its environment, if not the clean
    one. options: arguments of subprocess.run()."""
    return subprocess.run(
        [str(each) for each in argv],
        env=clean_environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        **{"capture_output": True, "text": True, "timeout": PATIENCE, "check": False, **options},
    )


def pystuck(
    *arguments: object,
    prefix: Sequence[str] = (),
    stdin: str = "",
    timeout: float = PATIENCE,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Runs the client with these arguments. prefix: a program that runs the command line after
    it."""
    return subprocess.run(
        [*prefix, *c_program("PYSTUCK_BIN", *arguments)],
        env=clean_environment(**environment),
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def errors_with_output(output: str | int, *arguments: object) -> tuple[int, str]:
    """Runs the client with this file or descriptor as its output, and closes it.

    Returns the client's status and its error output.
    """
    with open(output, "wb") as stdout:
        done = run_program(
            c_program("PYSTUCK_BIN", *arguments),
            capture_output=False,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    return done.returncode, done.stderr


class Running:
    """A process and its output. It has its own process group, which `kill` ends as a whole."""

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
        """Returns True if the process has not ended."""
        return self.popen.poll() is None

    def write(self, text: str) -> None:
        """Writes to the process's stdin."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def has_printed(self) -> bool:
        """Returns True if data from stdout can be read, or stdout has ended."""
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
        """Waits for the next line of stdout and returns it without the newline."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            if not self._read_more(deadline):
                status = self.wait()
                pytest.fail(f"pid {self.pid} ended with {status}; stderr: {self.stderr()}")
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def read_rest(self, timeout: float = PATIENCE) -> str:
        """Reads stdout to its end and returns the text that was not read before."""
        deadline = time.monotonic() + timeout
        while self._read_more(deadline):
            pass
        rest, self._unread = self._unread, b""
        return rest.decode()

    def stderr(self) -> str:
        """Returns all that the process has written to stderr until now."""
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for the end of the process and returns its status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            figures.add("hangs")
            pytest.fail(f"pid {self.pid} does not end; stderr: {self.stderr()!r}")

    def has_crashed(self) -> bool:
        """Returns True if a signal of CRASHES or a sanitizer has ended the process."""
        status = self.popen.poll()
        return status is not None and (-status in CRASHES or "Sanitizer" in self.stderr())

    def kill(self) -> None:
        """Kills the process and its children, and closes its pipes."""
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
    """A program that has called `pystuck.run_server` and printed the server's address as JSON.

    A test must not damage the program: the fixture that started the program calls `end_well`, which
    checks this.
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
        """The address of the program's server, as a dict that can be sent to another process."""
        return {"host": self.host, "port": self.port, "unix_socket": self.unix_socket}

    def end_well(self) -> None:
        """Lets the program continue, and checks that it ends as it does without clients."""
        self.ended = True
        with contextlib.suppress(BrokenPipeError):  # the program has ended already
            self.write("go on\n")
        status = self.wait()
        if status != 0 or self.stderr():
            pytest.fail(f"ended with {status}, and on stderr: {self.stderr()}", pytrace=False)
        assert self.read_rest() == "went on\n"

    # Data about the process from /proc.

    def _proc(self, name: str) -> Path:
        return Path("/proc") / str(self.pid) / name

    def status(self, field: str) -> str:
        """Returns one field of /proc/PID/status."""
        for line in self._proc("status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
        raise KeyError(field)

    def rss(self) -> int:
        """Returns the resident memory, in bytes."""
        return int(self.status("VmRSS").split()[0]) * 1024

    def peak_rss(self) -> int:
        """Returns the largest resident memory since `reset_peak_rss`, in bytes."""
        return int(self.status("VmHWM").split()[0]) * 1024

    def reset_peak_rss(self) -> None:
        """Sets the peak to the current value. If the kernel does not allow this, does nothing."""
        with contextlib.suppress(OSError):
            self._proc("clear_refs").write_text("5")

    def threads(self) -> set[int]:
        """Returns the ids of the process's native threads."""
        return {int(name) for name in os.listdir(self._proc("task"))}

    def thread_names(self) -> set[str]:
        """Returns the kernel's names of the native threads."""
        names = set()
        for thread in self.threads():
            with contextlib.suppress(OSError):  # it has just ended
                names.add(self._proc(f"task/{thread}/comm").read_text().strip())
        return names

    def holdings(self) -> tuple[dict[int, str], set[int]]:
        """Returns the current descriptors and threads, for `wait_until_back_to`."""
        return self.descriptors(), self.threads()

    def wait_until_back_to(self, before: tuple[dict[int, str], set[int]]) -> None:
        """Waits until the process has only descriptors and native threads that are in `before`."""
        descriptors, threads = before
        wait_until(
            lambda: self.descriptors().items() <= descriptors.items(),
            "the program to close sockets",
            counts_as="leaks",
        )
        wait_until(
            lambda: self.threads() <= threads,
            "threads to end",
            counts_as="leaks",
            details=lambda: self.describe_threads(self.threads() - threads),
        )

    def describe_threads(self, threads: set[int]) -> str:
        """Returns the states and stacks of these native threads, for the message of a failure."""
        lines = []
        for thread in sorted(threads):
            with contextlib.suppress(OSError):  # the thread has ended, or only root may read this
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
        """Returns the process's open descriptors with the targets of their links in /proc."""
        found = {}
        for name in os.listdir(self._proc("fd")):
            with contextlib.suppress(FileNotFoundError):
                found[int(name)] = os.readlink(self._proc("fd") / name)
        return found


def command(program: str, *arguments: str) -> list[str]:
    """Returns the command line for a program in the folder programs."""
    return [python(), str(PROGRAMS / program), *arguments]


@contextlib.contextmanager
def each_ends_well() -> Iterator[list[Debuggee]]:
    """A list for programs. At the end, each must end as if it had no server, unless its `ended` is
    set. All are killed."""
    started: list[Debuggee] = []
    try:
        yield started
        for debuggee in started:
            if not debuggee.ended:
                debuggee.end_well()
    finally:
        for debuggee in started:
            debuggee.kill()


#: The code of a main thread that executes lines of Python from stdin, each as JSON. For each line
#: it prints the exception, or null, as JSON on the program's own stdout.
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
    """Makes the main thread execute `code` (see OBEY), and does not wait until it is done."""
    debuggee.write(json.dumps(code) + "\n")


def tell(debuggee: Debuggee, code: str) -> str | None:
    """Makes the main thread execute `code`. Returns the text of its exception, or None."""
    order(debuggee, code)
    return json.loads(debuggee.read_line())


#: Expressions that do not end, to keep a request busy.
BUSY = {
    "sleeping": "__import__('time').sleep(1000)",
    "computing": "sum(x for x in iter(int, 1))",
    "waiting for a lock": "(lambda l: (l.acquire(), l.acquire()))(__import__('threading').Lock())",
    "reading": "__import__('os').read(__import__('os').pipe()[0], 1)",
}


def is_gone(pid: int) -> bool:
    """Returns True if a process has ended. It may be a zombie."""
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


def links(pid: int) -> list[str]:
    """Returns the targets of the links in /proc/PID/fd."""
    fds, found = Path("/proc") / str(pid) / "fd", []
    for name in os.listdir(fds):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(fds / name))
    return found


def run_python(
    code: str, *arguments: str, timeout: float = PATIENCE, **more: str
) -> dict[str, Any]:
    """Runs `code` in a new Python that can import pystuck. Returns the JSON that it prints."""
    argv = [python(), "-c", code, *arguments]
    done = run_program(argv, env=debuggee_environment(**more), timeout=timeout)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return json.loads(done.stdout)


#: Calls run_server with arguments, a dict as Python text. Prints the exception as JSON, or null.
ATTEMPT = """
import json, sys
import pystuck
try:
    pystuck.run_server(**{"port": 0, **eval(sys.argv[1])})
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
else:
    print("null")
"""


def start_error(arguments: str, before: str = "", **more: str) -> str | None:
    """Calls run_server in another process. Returns its exception as text, or None.

    arguments: a dict, as Python text. before: code that is executed first.
    """
    return run_python(before + ATTEMPT, arguments, **more)  # type: ignore[return-value]


def shown_by_json(*arguments: object) -> dict[str, Any]:
    """Returns the document that the client prints with --json. It must succeed."""
    done = pystuck("--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(*arguments: object, status: int) -> str:
    """Returns the only sentence that the client prints, which fails with this status."""
    done = pystuck(*arguments)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("pystuck: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("pystuck: ").removesuffix("\n")


class Stock(NamedTuple):
    """A version of stock rpyc, with or without bind-threads."""

    generation: str
    bound: bool = False

    def __str__(self) -> str:
        return self.generation + "-bound" * self.bound

    def environment(self, *more_settings: str) -> dict[str, str]:
        """Returns the environment of a process that uses this rpyc. `more_settings`: the build's
        variables with the directories of further packages."""
        more = {"RPYC_BIND_THREADS": "true"} if self.bound else {}
        return stock_environment(f"PYSTUCK_{self.generation.upper()}", *more_settings, **more)


RPYC4, RPYC5, RPYC6 = Stock("rpyc4"), Stock("rpyc5"), Stock("rpyc6")
RPYC5_BOUND, RPYC6_BOUND = Stock("rpyc5", True), Stock("rpyc6", True)


#: The servers with which the client is tested: None is pystuck's own server.
SERVERS = [None, RPYC4, RPYC5, RPYC6, RPYC5_BOUND, RPYC6_BOUND]


def start_stuck(stock: Stock | None = None, *more_settings: str) -> Debuggee:
    """Starts the stuck program, with pystuck's server or the server of a stock rpyc.

    more_settings: the build's variables with the directories of further packages.
    """
    if stock is None:
        env = debuggee_environment()
        more = [build_setting(name) for name in more_settings]
        env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *more])
        return Debuggee(command("stuck.py", '{"port": 0}'), env)
    return Debuggee(command("stock_server.py", "SlaveService"), stock.environment(*more_settings))


class StockClient(Running):
    """A process with a version of stock rpyc, which runs cases (see cases.py).

    modules: the modules that define the cases. more_settings: the build's variables with the
    directories of further packages.
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
        """Starts a case and does not wait for its end. `more` is added to the address."""
        self.busy = True
        self.write(json.dumps({"case": case, "address": debuggee.address | more}) + "\n")

    def finish(self) -> None:
        """Waits until the started case has ended. If the case has failed, fails with its text."""
        answer = json.loads(self.read_line())
        self.busy = False
        if answer["failure"]:
            pytest.fail(f"under rpyc {self.version}:\n{answer['failure']}", pytrace=False)


def differences(case: str, client: Stock, server: Stock | None) -> list[cases.Differs]:
    """Returns the reasons why a case fails with this client and server; empty if it must pass."""
    names = str(client), str(server or "ours")
    return [each for each in cases.DIFFERENCES[case] if each.concerns(*names)]


def expect_difference(
    request: pytest.FixtureRequest, case: str, client: Stock, server: Stock | None
) -> None:
    """Marks the test as one that must fail, if the case differs for this client and server."""
    for difference in differences(case, client, server):
        if difference.hangs:
            pytest.skip(difference.why)
        reason, failure = difference.why, pytest.fail.Exception
        request.applymarker(pytest.mark.xfail(reason=reason, raises=failure, strict=True))


def make_capable(path: Path, capabilities: int) -> None:
    """Sets the capabilities of a program's file, or skips the test."""
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
    """Calls `function` in a forked child that has become another user, and returns its result.

    The child has the group `gid` (default: the group with the user's number), `groups` as further
    groups, and `capabilities`.
    """
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
