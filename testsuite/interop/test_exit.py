# SPDX-License-Identifier: BSD-3-Clause
"""The end of the program: it comes as if there were no server, whatever clients are doing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from harness import BUSY, Debuggee, wait_until
from rawpeer import Handler, box, raw_connect

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


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
        # The main thread, this request, and that one.
        frames = "len(__import__('sys')._current_frames())"
        wait_until(lambda: other.eval(frames) == 3, "the request to be served")
        debuggee.end_well()
        assert peer.answer() is None


def test_the_program_ends_at_its_end_while_it_waits_for_a_client(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py")
    with raw_connect(debuggee) as peer:
        function = peer.eval("lambda f: f()")
        callback = (4, ("some.function", 1, 2))
        boxed = (2, (box(function), (2, (callback,)), box(())))
        peer.send(peer.request_frame(Handler.CALL, boxed))
        peer.answer_inspect(("__call__", None))
        assert peer.receive() is not None
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
