# SPDX-License-Identifier: BSD-3-Clause
"""Cases for many stock clients at once. Some of them end the server that the others use.

The seed that follows the address decides what a case does by chance.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import rpyc
from cases import address, case, connect, raises, wait_until
from chain_cases import Given, serving
from rpyc.utils.helpers import buffiter

#: What a client gets if another client has disconnected or the server has ended.
ENDINGS = (EOFError, OSError)


def chance() -> random.Random:
    """Returns the random choices of the case. They are the same for the same seed."""
    return random.Random(f"{address['seed']}")


# ---- One program, many clients -------------------------------------------------------------------

#: Names that the clients share. The client that stored an object there may have disconnected.
CROWD = """
import __main__
crowd = vars(__main__).setdefault("crowd", {})
def use(name):
    try:
        thing = crowd[name]
        thing.n += 1
        return thing.method(name)[1] == (name,)
    except (KeyError, EOFError):
        return None
"""


@case
def the_clients_use_what_the_others_have(c: Any) -> None:
    mine, name = Given(), f"{os.getpid()}"
    giver = connect()
    try:
        c.execute(CROWD)
        giver.execute(CROWD)
        giver.namespace["crowd"][name] = mine
        with serving(giver):
            if not c.eval(f"use({name!r})"):
                raise EOFError("the server has let go of what is still here")
            for other in c.eval("tuple(crowd)"):
                assert c.eval(f"use({other!r})") in (True, None)
            c.execute(f"del crowd[{name!r}]")
        assert mine.n > 1
    finally:
        giver.close()


@case
def floods_of_objects_are_dropped_on_both_sides(c: Any) -> None:
    alive: weakref.WeakSet[Given] = weakref.WeakSet()
    for _ in range(3):
        theirs = list(buffiter(c.eval("iter([[n] for n in range(300)])")))
        assert theirs[-1][0] == 299
        del theirs
        mine = [Given() for _ in range(100)]
        alive.update(mine)
        assert c.eval("lambda *things: len(things)")(*mine) == 100
        del mine
    wait_until(lambda: [c.ping(), len(alive)][1] == 0, "the objects to be given back")


@case
def requests_come_and_go_side_by_side(c: Any) -> None:
    ask = rpyc.async_(c.eval("lambda f, n: f(n)"))
    results = [ask(lambda n: n * n, n) for n in range(30)]
    assert [result.value for result in results] == [n * n for n in range(30)]


@case
def a_request_forks(c: Any) -> None:
    c.execute(
        "import os\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(7)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
    )
    assert c.namespace["status"] == 7


def _begin_and_go(c: Any, rest: random.Random) -> None:
    """Disconnects in the middle of a request, in one of several ways."""
    sock = socket.socket(fileno=os.dup(c.fileno()))
    with sock:
        how = rest.randrange(4)
        if how == 0:  # sends a reset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == 1:  # in the middle of a message
            sock.sendall(b"\0\0\1\0\0")
        elif how == 2:  # while the server waits for this client
            rpyc.async_(c.eval("lambda f: f()"))(lambda: None)
        else:  # while the server works
            rpyc.async_(c.eval("__import__('time').sleep"))(0.05)
        time.sleep(rest.random() * 0.01)  # while nothing happens
        c._channel.stream.close()


@case
def connections_come_and_go(c: Any) -> None:
    rest = chance()
    for _ in range(5):
        _begin_and_go(connect(), rest)
        with socket.create_connection((address["host"], address["port"])) as silent:
            silent.sendall(bytes(rest.randrange(256) for _ in range(rest.randrange(20))))
        assert c.eval("1 + 1") == 2


# ---- Until the server ends -----------------------------------------------------------------------


def _call(c: Any) -> None:
    assert c.eval("lambda *args: args")(1, "two") == (1, "two")


def _call_back(c: Any) -> None:
    assert c.eval("lambda f: f(1) + f(2)")(lambda n: n + 1) == 5


def _fail(c: Any) -> None:
    with raises(KeyError):
        c.execute("raise KeyError(1)")


def _iterate(c: Any) -> None:
    assert list(c.eval("iter([1, (2,), 'three'])")) == [1, (2,), "three"]


def _run_in_a_thread(c: Any) -> None:
    c.execute(
        "import threading\n"
        "def later(f):\n"
        "    try: f(1)\n"
        "    except EOFError: pass\n"
        "def start(f): threading.Thread(target=later, args=(f,)).start()\n"
    )
    c.namespace["start"](lambda n: n)


WORK: list[Callable[[Any], None]] = [
    *(_call, _call_back, _fail, _iterate, _run_in_a_thread),
    *(the_clients_use_what_the_others_have, connections_come_and_go),
]
if not os.environ.get("PYSTUCK_SANITIZED"):  # not all of a sanitizer's locks are reset in a child
    WORK.append(a_request_forks)


#: A client reports that it works after this many operations.
AT_WORK = 4


def _work(c: Any) -> Iterator[None]:
    """Does one operation after another."""
    rest = chance()
    while True:
        rest.choice(WORK)(c)
        yield


@case
def a_client_works_until_the_server_ends(c: Any) -> None:
    done = 0
    try:
        for _ in _work(c):
            done += 1
            if done == AT_WORK:
                print(json.dumps("at work"), flush=True)
    except ENDINGS:
        assert done >= AT_WORK
