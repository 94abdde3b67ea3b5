# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: how long objects live, and what stays in the debuggee."""

from __future__ import annotations

import gc
import json
import signal
import weakref
from typing import Any

from cases import Differs, case, connect, wait_until
from client_object_cases import Thing

# ---- Who keeps what -----------------------------------------------------------------------------

MORTAL = """
class Mortal:
    buried = []
    def __del__(self):
        self.buried.append(1)
"""


@case
def an_object_dies_when_the_client_drops_it(c: Any) -> None:
    c.execute(MORTAL)
    mortal = c.eval("Mortal()")
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    del mortal
    gc.collect()
    wait_until(lambda: c.eval("len(Mortal.buried)") == 1, "the object's __del__")


@case
def an_object_that_was_sent_often_dies_with_the_last(c: Any) -> None:
    c.execute(MORTAL + "held = [Mortal()]\n")
    hold = [c.eval("held[0]") for _ in range(25)]
    assert all(one is hold[0] for one in hold)
    hold.extend(c.eval("(held[0], (held[0],))")[:1])
    c.execute("held.clear()")
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    hold.clear()
    gc.collect()
    wait_until(lambda: c.eval("len(Mortal.buried)") == 1, "the object's __del__")


@case
def an_object_outlives_the_client_that_shares_it(c: Any) -> None:
    other = connect()
    c.execute(MORTAL + "import __main__; __main__.shared = Mortal()\n")
    ours, theirs = c.eval("__main__.shared"), other.eval("__import__('__main__').shared")
    c.execute("del __main__.shared")
    del theirs
    other.close()
    c.ping()
    assert c.eval("len(Mortal.buried)") == 0
    assert "__del__" in dir(ours)


@case
def objects_die_with_the_connection(c: Any) -> None:
    other = connect()
    other.execute(MORTAL + "import __main__; __main__.buried = Mortal.buried\n")
    c.execute("import __main__, gc; buried = __main__.buried")
    held = [other.eval("Mortal()") for _ in range(5)]
    other.execute("mine = Mortal()")
    other.close()
    # The namespace holds the class, and the class's functions hold the namespace as their globals.
    # Only the garbage collector frees such a cycle.
    wait_until(lambda: c.eval("(gc.collect(), len(buried))")[1] == 6, "all six __del__")
    assert len(held) == 5


@case
def an_object_of_the_client_dies_when_the_server_drops_it(c: Any) -> None:
    thing = Thing()
    alive = weakref.ref(thing)
    c.namespace["thing"] = thing
    c.eval("lambda *things: None")(thing, thing, (thing,))
    del thing
    gc.collect()
    assert alive() is not None
    c.execute("del thing")

    def gone() -> bool:
        c.ping()
        gc.collect()
        return alive() is None

    wait_until(gone, "the client's object to be given back")


# ---- What the debuggee notices ------------------------------------------------------------------


@case(Differs("each client has a Thread", server="rpyc*"))
def the_debuggee_has_no_more_threads_than_before(c: Any) -> None:
    names = "tuple(t.name.split()[0] for t in threading.enumerate())"
    c.execute("import threading, logging")
    expected = ("MainThread", "Thread-1")
    assert c.eval(names) == expected
    assert c.eval("threading.active_count()") == 2
    c.eval("threading.current_thread()")
    c.eval("logging.getLogger('x').debug('creates a record')")
    c.execute("logging.LogRecord('x', 10, 'p', 1, 'm', (), None)")
    assert c.eval(names) == expected
    assert c.eval("len(threading._active)") == 2
    c.execute("t = threading.Thread(target=len, args=((),)); t.start(); t.join()")
    assert c.eval(names) == expected


@case
def signals_of_a_request_are_not_blocked(c: Any) -> None:
    blocked = c.eval("tuple(__import__('signal').pthread_sigmask(0, ()))")
    assert blocked == ()
    status = c.modules.subprocess.check_output(("cat", "/proc/self/status")).decode()
    assert "SigBlk:\t0000000000000000\n" in status


@case
def signals_are_not_blocked_around_a_request_within_a_request(c: Any) -> None:
    c.execute(
        "import signal, subprocess\n"
        "def blocked():\n"
        "    return tuple(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))\n"
        "def call(f):\n"
        "    f(object())\n"
        "    return blocked(), subprocess.check_output(('cat', '/proc/self/status')).decode()\n"
    )
    within: list[Any] = []
    blocked, status = c.namespace["call"](lambda thing: within.append(c.eval("blocked()")))
    assert within == [()]
    assert blocked == ()
    assert "SigBlk:\t0000000000000000\n" in status


@case
def wait_forever_in_a_callback(c: Any) -> None:
    """Never ends: a test kills this client while it waits."""

    def forever() -> None:
        print(json.dumps("in the callback"), flush=True)
        signal.pause()

    c.eval("lambda f: f()")(forever)
