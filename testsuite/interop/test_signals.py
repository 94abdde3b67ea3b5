# SPDX-License-Identifier: BSD-3-Clause
"""Signals that arrive while a thread of the debuggee uses a client that does not read.

test_invisible.py checks which signals the server's threads leave to the program.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import OBEY, Debuggee, build_setting, order, tell, wait_until
from rawpeer import Handler, RawPeer, give_thing, raw_connect, stop_reading


@pytest.fixture
def peer(obedient: Debuggee) -> Iterator[RawPeer]:
    """A client whose object and connection are `thing` and `conn` in the program. Requests to it
    may take an hour."""
    with raw_connect(obedient) as raw:
        give_thing(raw)
        assert tell(obedient, "import signal, time; conn = thing.____conn__") is None
        assert tell(obedient, "conn._config['sync_request_timeout'] = 3600") is None
        yield raw


def test_a_handler_that_raises_interrupts_a_close(obedient: Debuggee, peer: RawPeer) -> None:
    stop_reading(peer)
    code = (
        "def fail(*args): raise LookupError('by the handler')\n"
        "signal.signal(signal.SIGALRM, fail)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "conn.close()\n"
        "signal.pause()\n"  # waits for the signal if close() was faster
    )
    assert tell(obedient, code) == "LookupError: by the handler"


@pytest.mark.parametrize("timeout", [3600, None])
def test_a_handler_that_raises_interrupts_a_send(
    obedient: Debuggee, peer: RawPeer, timeout: int | None
) -> None:
    assert tell(obedient, f"conn._config['sync_request_timeout'] = {timeout}") is None
    order(obedient, "thing.attribute = b'x' * 50_000_000")
    peer.wait_readable()
    os.kill(obedient.pid, signal.SIGINT)
    assert json.loads(obedient.read_line()) == "KeyboardInterrupt: "


def test_a_handler_cannot_use_a_client_that_its_thread_is_sending_to(
    obedient: Debuggee, peer: RawPeer
) -> None:
    size = 20_000_000
    code = (
        "def look(*args):\n"
        "    signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "    try:\n"
        "        thing.attribute\n"
        "    except BaseException as error:\n"
        "        sys.__stdout__.write(json.dumps(type(error).__name__) + '\\n')\n"
        "        sys.__stdout__.flush()\n"
        "signal.signal(signal.SIGUSR1, look)\n"
        f"thing.attribute = b'x' * {size}\n"
    )
    order(obedient, code)
    peer.wait_readable()

    def is_handled() -> bool:
        os.kill(obedient.pid, signal.SIGUSR1)
        return obedient.has_printed()

    wait_until(is_handled, "the handler to be done")
    assert json.loads(obedient.read_line()) == "TimeoutError"
    # The sending continues.
    message = peer.receive()
    assert message is not None
    assert message.args[0] == Handler.SETATTR
    assert len(message.args[1][1][2][1]) == size
    peer.reply(message, None)
    assert json.loads(obedient.read_line()) is None


#: What gevent's monkey-patching does to threading, before the program imports pystuck.
PATCHED = """
import threading
real, main = threading.get_ident(), threading.main_thread()
threading.get_ident = lambda: 5
main._ident = 5
threading._active[5] = threading._active.pop(real)
"""


def test_the_main_thread_is_known_after_monkey_patching(
    start_debuggee: Callable[..., Debuggee], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(PATCHED)
    path = os.pathsep.join([str(tmp_path), build_setting("PYSTUCK_PYTHONPATH")])
    debuggee = start_debuggee("plain.py", arguments=("", OBEY), env={"PYTHONPATH": path})
    debuggee.ended = True  # end_well() expects other output than this program's
    debuggee.write("\n")
    with raw_connect(debuggee) as raw:
        give_thing(raw)
        order(debuggee, "thing.attribute = b'x' * 50_000_000")
        raw.wait_readable()
        os.kill(debuggee.pid, signal.SIGINT)
        assert json.loads(debuggee.read_line()) == "KeyboardInterrupt: "
