# SPDX-License-Identifier: BSD-3-Clause
"""The program ends as if there were no server, whatever its clients do."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import BUSY, PATIENCE, Debuggee, wait_until
from rawpeer import EXCEPTION, Handler, RawPeer, box, call_back, raw_connect, twenty_busy_clients

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


@pytest.mark.measures
def test_the_program_ends_at_its_end_with_a_client_connected(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py")
    client = connect(debuggee)
    held = client.eval("[1]")
    started = time.monotonic()
    debuggee.end_well()
    assert time.monotonic() - started < 5
    with pytest.raises((EOFError, ConnectionError)):
        held[0]


@pytest.mark.parametrize("text", BUSY.values(), ids=BUSY.keys())
def test_the_program_ends_at_its_end_in_the_middle_of_a_request(
    start_debuggee: Start, text: str
) -> None:
    debuggee = start_debuggee("plain.py")
    with raw_connect(debuggee) as peer, raw_connect(debuggee) as other:
        root = peer.root()
        peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        # The main thread, this request, and the other request.
        frames = "len(__import__('sys')._current_frames())"
        wait_until(lambda: other.eval(frames) == 3, "the request to be served")
        debuggee.end_well()
        assert peer.answer() is None


def test_the_program_ends_at_its_end_while_it_waits_for_a_client(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py")
    with raw_connect(debuggee) as peer:
        call_back(peer, peer.eval("lambda f: f()"))
        debuggee.end_well()
        while peer.receive() is not None:
            pass


@pytest.mark.parametrize("ending", ["sys.exit(7)", "import os; os._exit(7)"])
def test_the_exit_status_is_the_programs_own(
    start_debuggee: Start, connect: Connect, ending: str
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", ending))
    assert connect(debuggee).eval("1+1") == 2
    debuggee.ended = True
    debuggee.write("go on\n")
    assert debuggee.wait() == 7
    assert debuggee.stderr() == ""


#: Makes the end of Python take long enough for each thread to take the GIL during it.
LONG_END = """
import time
class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.5)
sys.modules["last"] = Last()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call chroot")
def test_a_program_without_files_ends_well_during_a_request(
    start_debuggee: Start, tmp_path: Path
) -> None:
    """Up to 3.13, Python ends a thread that takes the GIL at its end with pthread_exit, for which
    glibc loads a library."""
    root = f"import os; os.chroot({str(tmp_path)!r})\n"
    debuggee = start_debuggee("plain.py", arguments=(root + LONG_END,))
    with raw_connect(debuggee) as peer, raw_connect(debuggee) as other:
        sleep = "[__import__('time').sleep(0.01) for _ in iter(int, 1)]"
        peer.send(peer.request_frame(Handler.CALLATTR, box((peer.root(), "eval", (sleep,)))))
        frames = "len(__import__('sys')._current_frames())"
        wait_until(lambda: other.eval(frames) == 3, "the request to be served")
        debuggee.end_well()


def test_a_program_that_hangs_in_atexit_can_still_be_asked(
    start_debuggee: Start, connect: Connect
) -> None:
    hang = "import atexit; atexit.register(sys.stdin.readline)"
    debuggee = start_debuggee("plain.py", arguments=(hang,))
    client = connect(debuggee)
    debuggee.write("go to the end\n")
    assert debuggee.read_line() == "went on"
    assert client.eval("1+1") == 2
    assert connect(debuggee).eval("1+1") == 2
    debuggee.ended = True
    debuggee.write("end\n")
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_a_program_that_waits_for_its_threads_can_still_be_asked(
    start_debuggee: Start, connect: Connect
) -> None:
    """The main thread waits in threading._shutdown for a thread that is not a daemon."""
    code = "import threading; threading.Thread(target=sys.stdin.readline).start()"
    debuggee = start_debuggee("plain.py", arguments=("", code))
    old = connect(debuggee)
    old.execute("import sys, threading, traceback")
    debuggee.write("go to the end\n")
    assert debuggee.read_line() == "went on"

    def main_stack(client: Any) -> str:
        client.execute("import sys, threading, traceback")
        return client.eval(
            "''.join(traceback.format_stack(sys._current_frames()[threading.main_thread().ident]))"
        )

    wait_until(lambda: "_shutdown" in main_stack(old), "the main thread to come to its end")
    for _ in range(3):
        assert "_shutdown" in main_stack(connect(debuggee))
    debuggee.ended = True
    debuggee.write("end\n")
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_requests_that_come_while_the_interpreter_goes_down_do_no_harm(
    start_debuggee: Start,
) -> None:
    debuggee = start_debuggee("plain.py")
    exceptions: list[str] = []

    def ask_to_the_end(peer: RawPeer, root: Any) -> None:
        answer = peer.request(Handler.CALLATTR, root, "eval", ("(6 * 7, [])[0]",))
        while answer is not None:
            if answer.kind == EXCEPTION:
                exceptions.append(repr(answer))
            answer = peer.request(Handler.CALLATTR, root, "eval", ("(6 * 7, [])[0]",))

    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(10)]
        arguments = [(peer, peer.root()) for peer in peers]
        threads = [threading.Thread(target=ask_to_the_end, args=args) for args in arguments]
        for thread in threads:
            thread.start()
        debuggee.end_well()
        for thread in threads:
            thread.join(PATIENCE)
    assert all("the interpreter is shutting down" in text for text in exceptions)
    assert not any(thread.is_alive() for thread in threads)


#: An object that is deleted when the interpreter ends, which blocks until a byte is on stdin.
LAST = """
import os
class Last:
    def __del__(self, write=os.write, read=os.read):
        write(1, b"going down\\n")
        read(0, 1)
sys.last = Last()
"""


def test_a_request_that_comes_while_the_interpreter_goes_down_is_told_so(
    start_debuggee: Start,
) -> None:
    debuggee = start_debuggee("plain.py", arguments=(LAST,))
    with raw_connect(debuggee) as old:
        root = old.root()
        debuggee.write("end\n")
        assert [debuggee.read_line() for _ in range(2)] == ["went on", "going down"]
        answer = old.request(Handler.CALLATTR, root, "eval", ("1 + 1",))
        assert "the interpreter is shutting down" in repr(answer)
        with raw_connect(debuggee) as new:
            assert "the interpreter is shutting down" in repr(new.request(Handler.GETROOT))
            assert new.value(Handler.PING, 5) == 5
    debuggee.ended = True
    debuggee.write("x")
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


# ---- Its status ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["(_ for _ in ()).throw(KeyboardInterrupt)", " (_ for _ in ()).throw(SystemExit(3))"]
)
def test_what_a_request_raises_is_not_in_the_programs_status(
    start_debuggee: Start, connect: Connect, text: str
) -> None:
    """builtins.eval and exec of a string record in the runtime that they were interrupted; python3
    reads this record at its end."""
    debuggee = start_debuggee("plain.py")
    client = connect(debuggee)
    for run in (client.eval, client.execute):
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(text.lstrip() if run is client.execute else text)
    debuggee.end_well()


def test_a_request_does_not_change_the_status_of_a_program_that_was_interrupted(
    start_debuggee: Start, connect: Connect
) -> None:
    """eval and exec also reset this record when they begin."""
    before = "import atexit; atexit.register(sys.stdin.readline)"
    debuggee = start_debuggee("plain.py", arguments=(before, "raise KeyboardInterrupt"))
    client = connect(debuggee)
    debuggee.write("end\n")
    wait_until(lambda: "KeyboardInterrupt" in debuggee.stderr(), "the program to come to its end")
    assert client.eval("1 + 1") == 2
    client.execute("x = 1")
    debuggee.ended = True
    debuggee.write("really\n")
    assert debuggee.wait() == -signal.SIGINT


# ---- With many clients, busy in every way --------------------------------------------------------

SIGTERM = "import os, signal, time\n{}os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
HANDLER = "signal.signal(signal.SIGTERM, lambda *args: sys.exit(6))\n"

#: How a program ends: the code, its status, and what it prints before.
ENDINGS = {
    "by itself": ("", 0, "went on\n"),
    "sys.exit": ("sys.exit(3)", 3, ""),
    "sys.exit in a thread": (
        "import threading; threading.Thread(target=sys.exit).start()",
        0,
        "went on\n",
    ),
    "os._exit": ("import os; os._exit(5)", 5, ""),
    "C's exit": ("import ctypes; ctypes.PyDLL(None).exit(8)", 8, ""),
    "SIGTERM": (SIGTERM.format(""), -signal.SIGTERM, ""),
    "a handler of SIGTERM": (SIGTERM.format(HANDLER), 6, ""),
}

#: Options that make an interpreter check more of what happens in it.
MODES = {
    "plain": {},
    "dev": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error", "PYTHONFAULTHANDLER": "1"},
    "tracemalloc": {"PYTHONTRACEMALLOC": "5", "PYTHONUNBUFFERED": "1"},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize(("code", "status", "output"), ENDINGS.values(), ids=ENDINGS.keys())
@pytest.mark.rotates(4)
def test_the_program_ends_as_if_alone_with_many_busy_clients(
    start_debuggee: Start, code: str, status: int, output: str, mode: dict[str, str]
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", code), env=mode)
    debuggee.ended = True
    with twenty_busy_clients(debuggee):
        debuggee.write("go on\n")
        assert (debuggee.wait(), debuggee.stderr()) == (status, "")
    assert debuggee.read_rest() == output
