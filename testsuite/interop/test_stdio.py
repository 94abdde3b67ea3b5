# SPDX-License-Identifier: BSD-3-Clause
"""The debuggee's sys.stdout is an object of a client: printing, and the end of the client."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import Debuggee, Running, order, python, stock_environment, tell, wait_until

Connect = Callable[[Debuggee], Any]

#: A client that replaces the debuggee's sys.stdout and prints what is written to it.
READER = """
import sys
import rpyc

class File:
    def write(self, text):
        sys.stdout.write(text)
        sys.stdout.flush()
        return len(text)

    def flush(self):
        pass

c = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))
c.modules.sys.stdout = File()
print("reading", flush=True)
c.serve_all()
"""


@pytest.fixture(
    params=[
        ("PYSTUCK_RPYC5", "false"),
        ("PYSTUCK_RPYC6", "false"),
        ("PYSTUCK_RPYC5", "true"),
        ("PYSTUCK_RPYC6", "true"),
    ],
    ids=["rpyc5", "rpyc6", "rpyc5-bound", "rpyc6-bound"],
)
def reader(request: pytest.FixtureRequest, obedient: Debuggee) -> Iterator[Running]:
    """A client to which the program prints."""
    setting, bound = request.param
    argv = [python(), "-c", READER, str(obedient.port)]
    client = Running(argv, stock_environment(setting, RPYC_BIND_THREADS=bound))
    try:
        assert client.read_line() == "reading"
        yield client
    finally:
        client.kill()


def restore(debuggee: Debuggee) -> None:
    """Restores the program's stdout, and checks that the program runs on and ends with status 0."""
    assert tell(debuggee, "sys.stdout = sys.__stdout__") is None
    order(debuggee, "print('printed')")
    assert debuggee.read_line() == "printed"
    assert json.loads(debuggee.read_line()) is None
    debuggee.popen.stdin.close()
    assert debuggee.read_rest() == "went on\n"
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


# ---- Printing ------------------------------------------------------------------------------------


def test_the_main_thread_prints_to_the_client(obedient: Debuggee, reader: Running) -> None:
    for n in range(20):
        assert tell(obedient, f"print('line', {n})") is None
        assert reader.read_line() == f"line {n}"
    restore(obedient)


WRITE_IN_THREADS = """
import threading
def write(n):
    for i in range(30):
        sys.stdout.write(f"{n} {i}\\n")
threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_other_threads_print_to_the_client_in_parallel(obedient: Debuggee, reader: Running) -> None:
    assert tell(obedient, WRITE_IN_THREADS) is None
    lines = [reader.read_line() for _ in range(6 * 30)]
    for n in range(6):
        assert [line for line in lines if line.startswith(f"{n} ")] == [
            f"{n} {i}" for i in range(30)
        ]
    restore(obedient)


def test_the_program_prints_while_requests_of_another_client_run(
    obedient: Debuggee, reader: Running, connect: Connect
) -> None:
    other = connect(obedient)
    for n in range(10):
        other.execute(f"print('from the request', {n})")
        assert reader.read_line() == f"from the request {n}"
        assert tell(obedient, f"print('from the program', {n})") is None
        assert reader.read_line() == f"from the program {n}"
    restore(obedient)


class File:
    """A file of this process."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)

    def flush(self) -> None:
        pass


def test_the_program_prints_while_the_same_clients_request_runs(
    obedient: Debuggee, connect: Connect
) -> None:
    file, client = File(), connect(obedient)
    client.modules.sys.stdout = file
    client.execute(
        "import sys, threading\n"
        "sys.printed = threading.Event()\n"
        "def wait(tell):\n"
        "    tell()\n"
        "    sys.printed.wait()\n"
        "    print('from the request')\n"
    )

    def tell_the_program() -> None:
        order(obedient, "print('from the program')")
        order(obedient, "sys.printed.set()")

    client.namespace["wait"](tell_the_program)
    assert "".join(file.written) == "from the program\nfrom the request\n"
    assert [json.loads(obedient.read_line()) for _ in range(2)] == [None, None]
    client.execute("sys.stdout = sys.__stdout__")
    restore(obedient)


# ---- A client that has ended, or does not answer -------------------------------------------------


def test_printing_to_a_client_that_has_ended_is_an_eof_error(
    obedient: Debuggee, reader: Running, connect: Connect
) -> None:
    observer = connect(obedient)
    observer.execute("import threading, sys")
    reader.kill()
    answer = tell(obedient, "print('unread')")
    assert answer is not None
    assert answer.startswith("EOFError: ")
    # Other threads and requests get the same error, each time.
    for _ in range(3):
        with pytest.raises(EOFError):
            observer.execute("print('unread')")
        observer.execute(
            "failures = []\n"
            "def write():\n"
            "    try:\n"
            "        sys.stdout.write('unread')\n"
            "    except EOFError:\n"
            "        failures.append(1)\n"
            "threads = [threading.Thread(target=write) for _ in range(4)]\n"
            "for thread in threads: thread.start()\n"
            "for thread in threads: thread.join()\n"
        )
        assert observer.eval("len(failures)") == 4
    restore(obedient)


def test_a_client_that_is_killed_ends_a_loop_that_prints_to_it(
    obedient: Debuggee, reader: Running
) -> None:
    order(obedient, "while True: print('a line')")
    for _ in range(50):
        assert reader.read_line() == "a line"
    reader.kill()
    assert obedient.read_line().startswith('"EOFError: ')
    restore(obedient)


PRINT_IN_THREADS = """
import threading
failures = []
def write():
    try:
        while True: print("a line")
    except EOFError:
        failures.append(1)
threads = [threading.Thread(target=write) for n in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(failures) == 6
"""


def test_a_client_that_is_killed_ends_the_loops_of_many_threads(
    obedient: Debuggee, reader: Running
) -> None:
    order(obedient, PRINT_IN_THREADS)
    for _ in range(50):
        reader.read_line()
    reader.kill()
    assert json.loads(obedient.read_line()) is None
    restore(obedient)


def test_a_client_that_does_not_answer_is_a_timeout_error(
    obedient: Debuggee, reader: Running
) -> None:
    os.kill(reader.pid, signal.SIGSTOP)
    tell(obedient, "config = sys.stdout.____conn__._config")
    assert tell(obedient, "config['sync_request_timeout'] = 0.2") is None
    assert tell(obedient, "print('a line')") == "TimeoutError: result expired"
    assert tell(obedient, "config['sync_request_timeout'] = 30") is None
    os.kill(reader.pid, signal.SIGCONT)
    assert tell(obedient, "print('another line')") is None
    wait_until(lambda: reader.read_line() == "another line", "the client to go on")
    restore(obedient)


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "gone"])
@pytest.mark.rotates(4)
def test_the_program_ends_while_its_stdout_is_an_object_of_the_client(
    obedient: Debuggee, reader: Running, connected: bool
) -> None:
    if not connected:
        reader.kill()
        wait_until(lambda: tell(obedient, "sys.stdout.write('')") is not None, "the end to be seen")
    tell(obedient, "import atexit; atexit.register(print, 'at exit')")
    obedient.popen.stdin.close()
    status = obedient.wait()
    if connected:
        assert (status, obedient.stderr()) == (0, "")
        assert reader.read_line() == "went on"
        assert reader.read_line() == "at exit"
    else:
        # Python's status if stdout cannot be flushed, or that of an exception of print().
        assert status in (1, 120)
        assert "EOFError" in obedient.stderr()
