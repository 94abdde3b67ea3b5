# SPDX-License-Identifier: BSD-3-Clause
"""A server belongs to the interpreter that has started it, and ends with it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    command,
    debuggee_environment,
    each_ends_well,
    pystuck,
    python,
    wait_until,
)
from rawpeer import Handler, box, raw_connect, unbox

Connect = Callable[[Debuggee], Any]


@pytest.fixture
def start() -> Iterator[Callable[[str], Debuggee]]:
    """Starts the program. At the end of the test it must run as if there were no server."""
    with each_ends_well() as started:

        def start_it(how: str) -> Debuggee:
            started.append(Debuggee(command("subinterpreter.py", how), debuggee_environment()))
            return started[-1]

        yield start_it


def test_requests_run_in_the_interpreter_of_the_server(
    start: Callable[[str], Debuggee], connect: Connect
) -> None:
    debuggee = start("module")
    c = connect(debuggee)
    assert c.modules["__main__"].mine == "the subinterpreter's"
    assert c.eval("lambda f: f(20) + 1")(lambda n: n * 2) == 41
    with pytest.raises(ZeroDivisionError):
        c.eval("1 / 0")
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"


def test_an_interpreter_with_clients_is_not_busy(
    start: Callable[[str], Debuggee], connect: Connect
) -> None:
    """Python's module for interpreters runs nothing in an interpreter with more than one thread
    state."""
    debuggee = start("module")
    c = connect(debuggee)
    for n in range(10):
        debuggee.write(f"x = {n}\n")
        assert debuggee.read_line() == "done"
        assert c.modules["__main__"].x == n
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"


def test_the_end_of_an_interpreter_hangs_up_and_lets_go_of_everything(
    start: Callable[[str], Debuggee], connect: Connect
) -> None:
    debuggee = start("module")
    before = debuggee.holdings()
    c = connect(debuggee)
    c.execute(
        "import os\n"
        "class Thing:\n"
        "    def __init__(self, f): self.f = f\n"
        "    def __del__(self, write=os.write): write(1, b'let go\\n')\n"
    )
    thing = c.eval("Thing")(lambda: 5)
    assert thing.f() == 5
    debuggee.write("end\n")
    assert debuggee.read_line() == "let go"
    assert debuggee.read_line() == "ended"
    debuggee.wait_until_back_to(before)
    with pytest.raises(EOFError):
        c.ping()
    with pytest.raises(ConnectionRefusedError):
        rpyc.classic.connect("127.0.0.1", debuggee.port)


def in_background(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Calls a function on a new thread. Appends its result, or its exception, to the list."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


HAS_TESTCAPI = subprocess.call([python(), "-c", "import _testcapi"], stderr=subprocess.DEVNULL) == 0
needs_testcapi = pytest.mark.skipif(not HAS_TESTCAPI, reason="this Python has no _testcapi")


@needs_testcapi
@pytest.mark.parametrize("clients", [0, 1, 5])
def test_the_end_of_an_interpreter_waits_for_requests_that_run(
    start: Callable[[str], Debuggee], connect: Connect, clients: int
) -> None:
    debuggee = start("end")
    blocked = []
    for _ in range(clients):
        c = connect(debuggee)
        c.execute("import os, time\ndef block():\n    os.write(1, b'in\\n')\n    time.sleep(2)\n")
        blocked.append(in_background(c.namespace["block"]))
        assert debuggee.read_line() == "in"
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"
    for thread, results in blocked:
        thread.join()
        assert results == [EOFError]


@needs_testcapi
def test_the_end_of_an_interpreter_interrupts_requests_that_run(
    start: Callable[[str], Debuggee], connect: Connect
) -> None:
    debuggee = start("end")
    c = connect(debuggee)
    c.execute("import os\ndef spin():\n    os.write(1, b'in\\n')\n    while True: pass\n")
    thread, results = in_background(c.namespace["spin"])
    assert debuggee.read_line() == "in"
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"
    thread.join()
    assert results == [EOFError]


#: The loop is in a function of its own, since in CPython 3.13 the jump to the start of a loop is
#: not part of the `try` around the loop.
MEETING = """
import os, pystuck
def last_while(name):
    while moment == name: pass
class Service:
    def on_connect(self, conn, write=os.write):
        write(1, b"on_connect\\n")
        try:
            last_while("on_connect")
        finally:
            write(1, b"on_connect ends\\n")
    def on_disconnect(self, conn, write=os.write):
        write(1, b"on_disconnect\\n")
    def __del__(self, write=os.write):
        write(1, b"gone\\n")
    def __init__(self, write=os.write):
        write(1, b"__init__\\n")
        last_while("__init__")
other = pystuck.run_server(port=0, service_class_getter=lambda: Service)
"""


@needs_testcapi
@pytest.mark.parametrize("moment", ["__init__", "on_connect", "idle"])
def test_the_end_of_an_interpreter_ends_the_services_of_clients(
    moment: str, start: Callable[[str], Debuggee], connect: Connect
) -> None:
    debuggee = start("end")
    c = connect(debuggee)
    c.execute(f"moment = {moment!r}" + MEETING)
    debuggee.port = c.namespace["other"].port
    events = ["__init__", "on_connect", "on_connect ends", "on_disconnect", "gone"]
    seen = {"__init__": 1, "on_connect": 2, "idle": 3}[moment]
    with raw_connect(debuggee) as peer:
        assert [debuggee.read_line() for _ in range(seen)] == events[:seen]
        debuggee.write("end\n")
        assert peer.is_closed()
    rest = ["gone"] if moment == "__init__" else events[seen:]
    assert [debuggee.read_line() for _ in rest] == rest
    assert debuggee.read_line() == "ended"
    wait_until(lambda: len(debuggee.threads()) == 1, "the threads to end")


#: A function that keeps the GIL in C code until a byte arrives on stdin.
KEEP = (
    "exec('import ctypes\\n"
    "def keep(): ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)')"
)


def reads_one_byte(pid: int) -> bool:
    """Returns True if the main thread of a process waits for one byte on descriptor 0."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()
    return call[1:2] == ["0x0"] and call[3] == "0x1"


#: A function that waits in a `with` of an RLock until a byte arrives on stdin.
HOLD = (
    "exec('import _thread, os\\nlock = _thread.RLock()\\ndef hold():\\n  with lock: os.read(0, 1)')"
)


def test_a_thread_in_two_interpreters_has_the_frames_and_locks_of_both(
    start: Callable[[str], Debuggee],
) -> None:
    """Python itself shows only the frames of one of them."""
    debuggee = start("module")
    debuggee.write(HOLD + "\n")
    assert debuggee.read_line() == "done"
    debuggee.write("hold()\n")
    wait_until(lambda: reads_one_byte(debuggee.pid), "the RLock to be held")
    process = json.loads(pystuck("--json", debuggee.host, debuggee.port).stdout)
    (thread,) = process["threads"]
    assert process["source"] == "server"
    functions = [frame["function"] for frame in thread["frames"]]
    assert functions == ["<module>", "run_by_module", "<module>", "hold"]
    (held,) = thread["holds"]
    assert (held["certainty"], held["since"]["frame"]) == ("known", 3)
    debuggee.write("x")
    assert debuggee.read_line() == "done"
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"


def test_the_stacks_of_all_interpreters_come_while_one_keeps_the_gil(
    start: Callable[[str], Debuggee],
) -> None:
    debuggee = start("module")
    debuggee.write(KEEP + "\n")
    assert debuggee.read_line() == "done"
    before = debuggee.threads()
    debuggee.write("keep()\n")
    wait_until(lambda: reads_one_byte(debuggee.pid), "the GIL to be kept")

    def ask() -> Any:
        with raw_connect(debuggee) as peer:
            args = box((2, 0, 500))
            peer.send(peer.request_frame(Handler.GETROOT, box(())))
            peer.send(peer.request_frame(Handler.STACKS, args))
            answer = peer.receive()
            answer = peer.receive() if answer and answer.seq == 0 else answer
            assert answer is not None
            return unbox(answer.args)[1]

    process = wait_until(lambda: (found := ask())[13] == "self" and found, "the stack reader")
    frames = {thread[3]: [frame[2] for frame in thread[14]] for thread in process[17]}
    assert frames.keys() == {0}  # one thread, in both interpreters
    assert frames[0] == ["<module>", "run_by_module", "<module>", "keep"]
    debuggee.write("x")
    assert debuggee.read_line() == "done"
    with raw_connect(debuggee) as peer:
        assert peer.eval("__import__('__main__').mine") == "the subinterpreter's"
    # The thread for the GIL may be another one: if it runs a request of a client that has gone, the
    # next request gets a new thread.
    wait_until(lambda: len(debuggee.threads()) <= len(before), "threads to end")
    debuggee.write("end\n")
    assert debuggee.read_line() == "ended"
