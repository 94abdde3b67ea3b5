# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: several threads on one connection, as users of rpyc report hangs.

In the reports rpyc is on both sides. Here the server is pystuck's, so the cases that hung in a
client are tried in the other direction: the threads belong to the debuggee, the objects to the
client.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from cases import PATIENCE, Differs, case, connect, raises, wait_until
from client_object_cases import TextFile, Thing
from rpyc.utils import helpers

#: The reason for the cases that hang with a stock server, as users have reported.
MAY_HANG = Differs("it may hang there, as was reported", server="rpyc*", hangs=True)

#: Runs f(n) in this many threads at once and returns the errors.
IN_THREADS = """
import threading
def in_threads(count, f):
    failures = []
    def run(n):
        try:
            f(n)
        except BaseException as error:
            failures.append(repr(error))
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return tuple(failures)
"""


@contextlib.contextmanager
def served_by_threads(c: Any, count: int) -> Iterator[None]:
    """Serves the connection on several threads of the client."""
    threads = [helpers.BgServingThread(c) for _ in range(count)]
    try:
        yield
    finally:
        for thread in threads:
            thread.stop()


@case(MAY_HANG)
def one_object_of_the_client_is_used_by_many_threads_at_once(c: Any) -> None:
    thing = Thing()
    c.execute(
        f"{IN_THREADS}"
        "def use(thing):\n"
        "    def run(n):\n"
        "        for i in range(30):\n"
        "            assert thing.method(n, i) == ((n, i), ())\n"
        "            assert thing(n) == ('called', n)\n"
        "            assert thing + i == ('sum', i)\n"
        "            thing.text = str(n)\n"
        "            assert len(str(thing)) > 0\n"
        "    return in_threads(8, run)\n"
    )
    assert c.namespace["use"](thing) == ()


@case(MAY_HANG)
def threads_share_a_dictionary_of_the_client_over_one_connection(c: Any) -> None:
    """rpyc issue 381: many threads on one connection led to "result expired"."""
    shared: dict[int, dict[int, Any]] = {n: dict.fromkeys(range(10)) for n in range(6)}
    c.execute(
        f"{IN_THREADS}"
        "def fill(shared, me):\n"
        "    for i in shared[me]:\n"
        "        shared[me][i] = [me, i]\n"
        "        assert shared[me][i][1] == i\n"
        "def fill_all(shared):\n"
        "    return in_threads(len(shared), lambda n: fill(shared, n))\n"
    )
    assert c.namespace["fill_all"](shared) == ()
    assert all(shared[n][i][1] == i for n in range(6) for i in range(10))

    # Repeats this, and lets threads of the client use this connection and others at the same time.
    failures: list[BaseException] = []

    def work(connection: Any) -> None:
        try:
            connection.execute(
                f"{IN_THREADS}def look(d):\n    return in_threads(3, lambda n: d[n][0])\n"
            )
            for _ in range(5):
                assert connection.namespace["look"](shared) == ()
        except BaseException as error:
            failures.append(error)

    connections = [c, c, c, connect(), connect()]
    threads = [threading.Thread(target=work, args=(one,)) for one in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for connection in connections[3:]:
        connection.close()
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


@case(MAY_HANG)
def a_reply_that_another_thread_reads_wakes_the_thread_that_waits_for_it(c: Any) -> None:
    """rpyc issue 449: with several serving threads on one processor, the reply had arrived but the
    thread that waited for it slept on."""
    c.execute(
        f"{IN_THREADS}"
        "import os, sys\n"
        "def call_often(f):\n"
        "    def run(n):\n"
        "        for i in range(60):\n"
        "            assert f(n, i) == (n, i)\n"
        "    processors, interval = os.sched_getaffinity(0), sys.getswitchinterval()\n"
        # sched_setaffinity: for this thread and for the threads that it starts
        "    os.sched_setaffinity(0, {min(processors)})\n"
        "    sys.setswitchinterval(1e-5)\n"
        "    try:\n"
        "        return in_threads(8, run)\n"
        "    finally:\n"
        "        sys.setswitchinterval(interval)\n"
        "        os.sched_setaffinity(0, processors)\n"
    )
    assert c.namespace["call_often"](lambda n, i: (n, i)) == ()


@case(MAY_HANG)
def one_thread_of_the_debuggee_waits_in_the_client_for_another(c: Any) -> None:
    """rpyc issue 491: a blocking call must not keep out the call that would end it."""
    event, answers = threading.Event(), []
    c.execute(
        "import threading\n"
        "def wait_and_set(event, tell):\n"
        "    waiting = threading.Thread(target=lambda: tell(event.wait(20)))\n"
        "    setting = threading.Thread(target=event.set)\n"
        "    waiting.start(); setting.start()\n"
        "def start(*args):\n"
        "    threading.Thread(target=wait_and_set, args=args).start()\n"
    )
    with served_by_threads(c, 4):
        c.namespace["start"](event, answers.append)
        wait_until(lambda: answers == [True], "the thread that waits to be told")


@case(MAY_HANG)
def a_thread_logs_to_the_client_that_waits_for_its_end(c: Any) -> None:
    """rpyc issue 527: with a log and stdout that went to the client, a request did not end."""
    c.execute(
        "import logging, threading\n"
        "def run(file):\n"
        "    logger, handler = logging.Logger('mine'), logging.StreamHandler(file)\n"
        "    logger.addHandler(handler)\n"
        "    def work(n):\n"
        "        for i in range(20):\n"
        "            logger.info('from thread %d', n)\n"
        "            print('printed by', n, file=file)\n"
        "    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    logger.warning('waiting')\n"
        "    for thread in threads: thread.join()\n"
        "    logger.warning('done')\n"
        "    return 'done'\n"
    )
    file = TextFile()
    assert c.namespace["run"](file) == "done"
    assert file.text.endswith("done\n")
    assert [file.text.count(f"from thread {n}") for n in range(4)] == [20] * 4


@case(MAY_HANG)
def an_object_of_the_client_is_given_back_though_nothing_else_is_said(c: Any) -> None:
    thing = Thing()
    alive = weakref.ref(thing)
    c.execute(
        "import threading\n"
        "kept = []\n"
        "def drop_later():\n"
        "    threading.Timer(0.2, kept.clear).start()\n"
    )
    kept, drop_later = c.namespace["kept"], c.namespace["drop_later"]
    kept.append(thing)
    del thing
    assert alive() is not None
    drop_later()
    with served_by_threads(c, 1):
        wait_until(lambda: alive() is None, "it to be given back")


@case(MAY_HANG)
def all_threads_that_wait_for_a_client_hear_of_its_end(c: Any) -> None:
    other = connect()
    c.execute("import sys, threading; sys.outcomes, sys.go = [], threading.Event()")
    other.execute(
        "import sys, threading\n"
        "def wait(f):\n"
        "    sys.go.wait()\n"
        "    try:\n"
        "        f()\n"
        "    except BaseException as error:\n"
        "        sys.outcomes.append(type(error).__name__)\n"
        "def start(f):\n"
        "    for n in range(8):\n"
        "        threading.Thread(target=wait, args=(f,), daemon=True).start()\n"
    )
    forever, called = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        called.release()
        forever.wait()

    other.namespace["start"](wait)
    serving = threading.Thread(target=other.serve_all, daemon=True)
    serving.start()
    c.execute("sys.go.set()")
    assert called.acquire(timeout=PATIENCE)
    other._channel.close()
    wait_until(lambda: c.eval("len(sys.outcomes)") == 8, "the threads to go on")
    assert set(c.eval("tuple(sys.outcomes)")) == {"EOFError"}
    forever.set()
    serving.join(PATIENCE)


# ---- Requests on the debuggee's own threads ------------------------------------------------------


@case(MAY_HANG)
def what_a_request_raises_within_a_call_to_the_client_stays_out_of_the_caller(c: Any) -> None:
    """A waiting thread serves requests, so such a request may run on the thread that called."""
    outcomes: list[str] = []
    c.execute(
        "import sys, threading\n"
        "def call(f, tell):\n"
        "    try:\n"
        "        f()\n"
        "    except BaseException as error:\n"
        "        tell(repr(error))\n"
        "    else:\n"
        "        tell('returned')\n"
        "def start(f, tell):\n"
        "    threading.Thread(target=call, args=(f, tell), name='caller').start()\n"
    )

    def callback() -> None:
        try:
            for cls in (KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError):
                with raises(cls):
                    c.execute(f"raise {cls.__name__}")
        except BaseException as error:
            outcomes.append(f"in the callback: {error!r}")
            raise

    with served_by_threads(c, 1):
        c.namespace["start"](callback, outcomes.append)
        wait_until(lambda: outcomes, "the caller to go on")
    assert outcomes == ["returned"]
    assert "caller" not in c.eval("tuple(t.name for t in threading.enumerate())")
