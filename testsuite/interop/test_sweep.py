# SPDX-License-Identifier: BSD-3-Clause
"""A stock client calls every builtin and every callable of the most used modules. The program
lives.

Each callable is called without arguments, with one argument of each kind, and with two and three
arguments with each kind in each place. With PYSTUCK_SLOW=1 all are called, else some of them, which
the printed seed selects.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import SANITIZED, STRANGER, Debuggee, command, debuggee_environment

#: Callables that end, stop or replace a process, or wait, on purpose.
ON_PURPOSE = {
    "os": "_exit abort kill killpg fork forkpty pidfd_open plock reboot posix_spawn posix_spawnp "
    "execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp spawnlpe "
    "spawnv spawnve spawnvp spawnvpe system popen close closerange dup2 fdopen open setsid "
    "login_tty lockf wait read readv ftruncate sendfile splice",
    "signal": "raise_signal pthread_kill alarm setitimer pause sigwait sigwaitinfo sigtimedwait "
    "siginterrupt signal pidfd_send_signal set_wakeup_fd pthread_sigmask",
    "threading": "_shutdown settrace setprofile settrace_all_threads setprofile_all_threads",
    "_thread": "interrupt_main _shutdown",
    "sys": "addaudithook settrace setprofile setrecursionlimit _setprofileallthreads "
    "_settraceallthreads set_int_max_str_digits",
    "socket": "close dup fromfd socket",
    "time": "sleep",
    "builtins": "input open",
    "io": "open open_code FileIO",
    "resource": "setrlimit",
}

#: Callables that crash CPython without pystuck, too.
FAULTS_OF_PYTHON = {
    # with a number that identifies no thread, as its documentation says
    "time": "pthread_getcpuclockid",
}

#: Seconds for a call. A call that takes longer continues on its thread.
TIMEOUT = 1

SLOW = os.environ.get("PYSTUCK_SLOW", "") not in ("", "0", "no")


class Sweep:
    """A program whose callables are called, and its client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = str(STRANGER) if os.getuid() == 0 else ""
        self.debuggee: Debuggee | None = None
        self.left = 0
        self.start()

    def start(self) -> None:
        """Starts a new program."""
        self.end()
        argv = command("swept.py", str(self.folder), self.user)
        self.debuggee = Debuggee(argv, debuggee_environment(PYTHONWARNINGS="ignore"))
        self.left = 0
        self.connect()

    def end(self) -> None:
        """Ends the program."""
        if self.debuggee:
            self.debuggee.kill()

    def connect(self) -> None:
        """Connects again. Calls of the old connection continue on their threads."""
        assert self.debuggee
        self.client = rpyc.classic.connect("127.0.0.1", self.debuggee.port)
        self.client._config["sync_request_timeout"] = TIMEOUT
        self.client.execute("import types\nclass Class: pass\nmodule = types.ModuleType('m')")
        c = self.client
        self.kinds: list[Any] = [
            *(None, 5, -1, 2.5, "x", b"x", (1, "two"), slice(1, 2)),
            *(c.eval(text) for text in ("[1]", "{'a': 1}", "Class()", "Class", "module")),
            *(lambda *args, **kwargs: 5, [1, 2], {"a": 5}, ValueError),
        ]

    def look(self, call: str) -> None:
        """Checks that the program lives. Starts a new one if the client has lost its connection."""
        assert self.debuggee
        status = self.debuggee.popen.poll()
        if status is not None:
            pytest.fail(f"{call} ended the program: {status}\n{self.debuggee.stderr()[-2000:]}")
        if self.client.closed or self.left > 20:
            self.start()

    def call(self, module: str, name: str, numbers: tuple[int, ...]) -> None:
        """Makes one call, with arguments of these kinds."""
        try:
            getattr(self.client.modules[module], name)(*(self.kinds[n] for n in numbers))
        except (TimeoutError, rpyc.AsyncResultTimeout):
            self.left += 1
            with contextlib.suppress(Exception):
                self.connect()
        except BaseException as error:
            if isinstance(error, pytest.fail.Exception):
                raise
        self.look(f"{module}.{name}{numbers}")


def arguments(count: int) -> Iterator[tuple[int, ...]]:
    """Yields tuples of kinds, by number: each kind in each place."""
    yield ()
    for length in (1, 2, 3):
        for n in range(count):
            yield tuple((n + 5 * i * (length - 1)) % count for i in range(length))


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Starts a program for the test."""
    made = Sweep(tmp_path)
    yield made
    made.end()


@pytest.mark.skipif(SANITIZED, reason="what is called has faults of its own, and limits of memory")
@pytest.mark.rotates(4)
def test_a_client_that_calls_everything_does_not_end_the_program(sweep: Sweep) -> None:
    assert sweep.debuggee
    seed = random.randrange(1 << 32)
    choice = random.Random(seed)
    print(f"seed {seed}")
    calls = []
    for module in sweep.debuggee.told["modules"]:
        skipped = f"{ON_PURPOSE.get(module, '')} {FAULTS_OF_PYTHON.get(module, '')}".split()
        names = sweep.client.eval(
            f"tuple(n for n, v in vars(__import__({module!r})).items() if callable(v))"
        )
        calls += [(module, name) for name in names if name not in skipped]
    assert len(calls) > 1000
    if not SLOW:
        calls = choice.sample(calls, 60)
    print(f"{len(calls)} callables")
    for module, name in calls:
        for numbers in arguments(len(sweep.kinds)):
            sweep.call(module, name, numbers)
