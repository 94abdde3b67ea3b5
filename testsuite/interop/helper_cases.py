# SPDX-License-Identifier: BSD-3-Clause
"""More cases for stock clients: rpyc's helper functions, and the server's connection object."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import rpyc
from cases import Differs, case, connect, is_netref, raises, wait_until
from rpyc.core import consts
from rpyc.utils import classic, helpers


@contextlib.contextmanager
def stdio(text: str) -> Iterator[io.StringIO]:
    """Provides `text` on stdin, and returns what is printed."""
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout = io.StringIO(text), io.StringIO()
    sys.stderr = sys.stdout
    try:
        yield sys.stdout
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


# ---- Helpers -------------------------------------------------------------------------------------


def teleported(x: int, y: int = 10) -> tuple[int, int]:
    import os

    def inner(n: int) -> int:
        return n * 2

    try:
        return (os.getpid(), inner(x) + y)
    except ValueError:
        return (0, 0)


@case(Differs("what it sends was another tuple before 5.0", client="rpyc4", server="rpyc5"))
def a_function_is_teleported(c: Any) -> None:
    pid = c.modules.os.getpid()
    there = classic.teleport_function(c, teleported)
    assert is_netref(there)
    assert there(1) == (pid, 12)
    assert there(1, y=20) == (pid, 22)
    assert c.namespace["teleported"](2) == (pid, 14)
    assert c.teleport(teleported)(3) == (pid, 16)


def with_keyword(x: int, *, z: int = 100) -> int:
    return x + z


@case(Differs("it teleports the defaults of positions alone", client="rpyc4"))
def defaults_of_keywords_are_teleported(c: Any) -> None:
    there = classic.teleport_function(c, with_keyword)
    assert there(1) == 101
    assert there(1, z=200) == 201


@case(Differs("what it sends was another tuple before 5.0", client="rpyc4", server="rpyc5"))
def a_function_is_teleported_into_given_globals(c: Any) -> None:
    pid = c.modules.os.getpid()
    there = classic.teleport_function(c, teleported, globals={"a": 1}, def_=False)
    assert there(1) == (pid, 12)
    assert "teleported" not in c.namespace


@case
def an_object_is_delivered(c: Any) -> None:
    there = classic.deliver(c, {"a": [1, 2, (3, None)]})
    assert is_netref(there)
    assert there["a"][2] == (3, None)
    c.namespace["there"] = there
    assert c.eval("type(there) is dict and there == {'a': [1, 2, (3, None)]}")


@case
def an_object_is_obtained(c: Any) -> None:
    here = classic.obtain(c.eval("{'a': [1, 2, {3}]}"))
    assert type(here) is dict
    assert here == {"a": [1, 2, {3}]}


@case
def files_and_directories_are_uploaded_and_downloaded(c: Any) -> None:
    with tempfile.TemporaryDirectory() as here:
        there = c.modules.tempfile.mkdtemp()
        try:
            os.makedirs(f"{here}/out/sub")
            for name in ("a", "sub/b"):
                with open(f"{here}/out/{name}", "wb") as f:
                    f.write(name.encode() * 50000)
            classic.upload(c, f"{here}/out", f"{there}/in")
            assert c.modules.os.path.getsize(f"{there}/in/sub/b") == 250000
            classic.download(c, f"{there}/in", f"{here}/back")
            for name in ("a", "sub/b"):
                with open(f"{here}/back/{name}", "rb") as f:
                    assert f.read() == name.encode() * 50000
        finally:
            c.modules.shutil.rmtree(there)


@case
def stdio_is_redirected_to_the_client(c: Any) -> None:
    before = c.modules.sys.stdout
    with stdio("a line\n") as out, classic.redirected_stdio(c):
        c.execute("print('hello', input())")
    assert out.getvalue() == "hello a line\n"
    assert c.modules.sys.stdout == before


@case
def a_console_runs_over_there(c: Any) -> None:
    with stdio("x = 6 * 7\nprint('x is', x)\n1/0\n") as out:
        classic.interact(c)
    assert "x is 42" in out.getvalue()
    assert "ZeroDivisionError" in out.getvalue()


@case
def a_post_mortem_looks_at_the_latest_exception(c: Any) -> None:
    c.execute("def fails(n):\n    return 1 / n\n")
    with raises(ZeroDivisionError):
        c.namespace["fails"](0)
    with stdio("p 'n is', n\nq\n") as out:
        classic.pm(c)
    assert "('n is', 0)" in out.getvalue()


@case
def a_call_does_not_wait(c: Any) -> None:
    done: list[Any] = []
    result = rpyc.async_(c.modules.time.sleep)(1)
    result.add_callback(done.append)
    assert not result.ready
    result.wait()
    assert result.ready
    assert done == [result]
    assert result.value is None


@case
def a_call_has_its_time(c: Any) -> None:
    sleep = helpers.timed(c.modules.time.sleep, 0.2)
    with raises(TimeoutError):
        sleep(1.5).value  # noqa: B018
    assert helpers.timed(c.builtins.len, 8)([1, 2]).value == 2


@case
def an_iterator_is_read_in_chunks(c: Any) -> None:
    assert list(helpers.buffiter(c.eval("range(1000)"), 100)) == list(range(1000))


@case
def a_thread_of_the_client_serves_in_the_background(c: Any) -> None:
    came: list[int] = []
    thread = helpers.BgServingThread(c)
    try:
        c.execute("def later(f):\n    import threading\n    threading.Timer(0.05, f, (5,)).start()")
        c.namespace["later"](came.append)
        wait_until(lambda: came == [5], "the callback")
    finally:
        thread.stop()


@case
def an_object_is_restricted(c: Any) -> None:
    class Thing:
        shown = 1
        hidden = 2

    c.execute("def look(o):\n    return o.shown\ndef peek(o):\n    return o.hidden")
    thing = helpers.restricted(Thing(), ["shown"], ["shown"])
    assert c.namespace["look"](thing) == 1
    with raises(AttributeError):
        c.namespace["peek"](thing)


# ---- The connection object -----------------------------------------------------------------------


@case
def the_server_has_a_connection_object(c: Any) -> None:
    conn = c.root.getconn()
    assert conn.closed is False
    assert conn.fileno() > 2
    assert conn.ping() is None
    assert conn.ping("data", timeout=5) is None
    assert conn == c.root.getconn()
    assert "Connection" in repr(conn)
    assert type(conn).__name__.endswith("rpyc.core.protocol.Connection") or "Connection" in str(
        conn.__class__
    )


@case
def the_connection_object_has_a_configuration(c: Any) -> None:
    config = c.root.getconn()._config
    assert config["sync_request_timeout"] == 30
    assert config["allow_all_attrs"] is True
    assert config["allow_pickle"] is True
    assert config["connid"]
    assert c.root.getconn()._channel.compress in (True, False)


@case
def requests_of_the_server_time_out_as_configured(c: Any) -> None:
    c.root.getconn()._config["sync_request_timeout"] = 0.2
    c.execute(
        "def call(f):\n"
        "    try:\n"
        "        return f()\n"
        "    except TimeoutError as error:\n"
        "        return str(error)\n"
    )
    assert "expired" in c.namespace["call"](lambda: time.sleep(1))
    assert c.namespace["call"](lambda: 5) == 5


@case
def the_connection_object_reaches_the_client(c: Any) -> None:
    conn = c.root.getconn()
    assert conn.root.eval("1 + 1") == 2
    assert conn.sync_request(consts.HANDLE_CALL, len, ([1, 2, 3],)) == 3
    result = conn.async_request(consts.HANDLE_CALL, len, ([1, 2],))
    result.wait()
    assert result.ready
    assert not result.error
    assert result.value == 2
    with raises(ZeroDivisionError):
        conn.sync_request(consts.HANDLE_CALL, lambda: 1 / 0, ())
    failed = conn.async_request(consts.HANDLE_CALL, lambda: 1 / 0, ())
    failed.wait()
    assert failed.error


@case
def a_result_becomes_ready_while_it_is_looked_at(c: Any) -> None:
    c.execute(
        "import time\n"
        "def look(f):\n"
        f"    result = f.____conn__.async_request({consts.HANDLE_CALL}, f, (), ())\n"
        "    while not result.ready:\n"
        "        time.sleep(0.001)\n"
        "    return result.value, result.error, result.expired\n"
    )
    assert c.namespace["look"](lambda: 42) == (42, False, False)


@case
def the_thread_that_reads_a_reply_calls_back(c: Any) -> None:
    c.execute(
        "def look(f, see, *args):\n"
        "    seen, conn = [], f.____conn__\n"
        f"    result = conn.async_request({consts.HANDLE_CALL}, f, (), ())\n"
        "    result.add_callback(lambda r: seen.append((r is result, r.value)))\n"
        "    while not seen:\n"
        "        getattr(conn, see)(*args)\n"
        "    result.add_callback(lambda r: seen.append('again'))\n"
        "    return tuple(seen)\n"
    )
    for see in (("poll_all", 0.01), ("serve", 0.01), ("poll", 0.01)):
        assert c.namespace["look"](lambda: 42, *see) == ((True, 42), "again")


@case
def what_a_callback_drops_is_given_back(c: Any) -> None:
    c.execute(
        "def look(f):\n"
        f"    result = f.____conn__.async_request({consts.HANDLE_CALL}, f, (), ())\n"
        "    result.add_callback(lambda r: None)\n"
    )
    made = []

    def make() -> set[int]:
        thing = {1}
        made.append(weakref.ref(thing))
        return thing

    c.namespace["look"](make)
    wait_until(lambda: [c.serve(0.01), made][1], "the request")
    wait_until(lambda: [c.serve(0.01), gc.collect(), made[0]()][2] is None, "the thing's end")


@case(Differs("it serves no thread but its own", server="*-bound", hangs=True))
def many_threads_may_wait_for_one_result_and_read_it_twice(c: Any) -> None:
    c.execute(
        "import threading\n"
        "def value(result):\n"
        "    try:\n"
        "        return result.value\n"
        "    except BaseException as error:\n"
        "        return type(error).__name__\n"
        "def look(f):\n"
        f"    result = f.____conn__.async_request({consts.HANDLE_CALL}, f, (), ())\n"
        "    values = []\n"
        "    wait = lambda: values.append(value(result))\n"
        "    threads = [threading.Thread(target=wait) for _ in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    return (*values, value(result), value(result))\n"
    )
    thread = helpers.BgServingThread(c)
    try:
        # The request takes time, so that all of the threads wait.
        assert c.namespace["look"](lambda: [time.sleep(0.2), 42][1]) == (42,) * 6
        failed = c.namespace["look"](lambda: [time.sleep(0.2), 1 / 0])
        assert failed == ("ZeroDivisionError",) * 6
    finally:
        thread.stop()


@case
def the_latest_traceback_is_kept(c: Any) -> None:
    c.execute("def fails():\n    secret = 5\n    return 1 / 0\n")
    with raises(ZeroDivisionError):
        c.namespace["fails"]()
    tb = c.root.getconn()._last_traceback
    while tb.tb_next is not None:
        tb = tb.tb_next
    assert tb.tb_frame.f_code.co_name == "fails"
    assert tb.tb_frame.f_locals["secret"] == 5


@case(Differs("it serves no thread but its own", server="*-bound", hangs=True))
def the_connection_object_serves(c: Any) -> None:
    """Code in the server waits for its client."""
    c.execute(
        "import time\n"
        "def wait(conn):\n"
        "    served = 0\n"
        "    end = time.monotonic() + 8\n"
        "    while 'mark' not in seen and time.monotonic() < end:\n"
        "        served += conn.serve(0.05)\n"
        "    return served, conn.poll(), conn.poll_all(0.01)\n"
        "seen = {}\n"
    )
    result = rpyc.async_(c.namespace["wait"])(c.root.getconn())
    mark = rpyc.async_(c.namespace["seen"].__setitem__)("mark", 1)
    mark.wait()
    result.wait()
    assert result.value[0] >= 1


@case
def the_connection_object_closes(c: Any) -> None:
    other = connect()
    with contextlib.suppress(EOFError):
        other.root.getconn().close()
    with raises(EOFError):
        for _ in range(100):
            other.ping()
            time.sleep(0.01)
    assert c.eval("1") == 1


# ---- Threads -------------------------------------------------------------------------------------


def bound() -> bool:
    """Returns True if this rpyc binds threads."""
    return os.environ.get("RPYC_BIND_THREADS") == "true"


@case(Differs("it does not serve another thread meanwhile", server="*-bound", hangs=True))
def a_request_that_blocks_does_not_block_other_clients(c: Any) -> None:
    c.execute("import sys, threading\nlock = sys.held = threading.Lock()\nlock.acquire()")
    blocked = rpyc.async_(c.namespace["lock"].acquire)()
    other = connect()
    try:
        assert other.eval("6 * 7") == 42
        assert not blocked.ready
        if not bound():
            other.modules.sys.held.release()
    finally:
        other.close()
    # The connection c is busy. Only with bind-threads does the server serve c's other threads.
    if bound():
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(c.eval("lock.release()")))
        thread.start()
        thread.join(8)
        assert answers == [None]
    blocked.wait()
    assert blocked.value is True


@case(Differs("that ends the thread that serves the client", server="rpyc*"))
def a_request_can_be_interrupted(c: Any) -> None:
    c.execute(
        "import threading\n"
        "def spin(tell):\n"
        "    tell(threading.get_ident())\n"
        "    while True:\n"
        "        pass\n"
    )
    idents: list[int] = []
    spinning = rpyc.async_(c.namespace["spin"])(idents.append)
    wait_until(lambda: [c.poll_all(0.01), idents][1] != [], "the request to run")
    other = connect()
    try:
        other.execute("import ctypes")
        interrupt = other.eval(
            "lambda ident: ctypes.pythonapi.PyThreadState_SetAsyncExc("
            "ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))"
        )
        assert interrupt(idents[0]) == 1
        with raises(KeyboardInterrupt):
            spinning.wait()
            spinning.value  # noqa: B018
        assert c.eval("1 + 1") == 2
    finally:
        other.close()
