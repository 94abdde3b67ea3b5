# SPDX-License-Identifier: BSD-3-Clause
"""The debuggee notices nothing of the server: signals, threads, memory and modules are the same."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    BUSY,
    PATIENCE,
    Debuggee,
    c_program,
    debuggee_environment,
    looks_at_every_thread,
    python,
    run_program,
    run_python,
    wait_until,
)
from rawpeer import Handler, box, raw_connect, twenty_busy_clients

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: Waits for a SIGINT by many short sleeps: no Python program interrupts a sleep that begins when
#: the signal has just arrived.
WAIT_FOR_SIGINT = """
import time
try:
    print("waiting", flush=True)
    while True:
        time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
"""


def test_sigint_interrupts_the_main_thread_as_usual(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", WAIT_FOR_SIGINT))
    client = connect(debuggee)
    held = client.eval("[1]")
    debuggee.write("wait\n")
    assert debuggee.read_line() == "waiting"
    os.kill(debuggee.pid, signal.SIGINT)
    assert debuggee.read_line() == "interrupted"
    assert held[0] == 1


@pytest.mark.parametrize("text", [BUSY["sleeping"], BUSY["computing"]], ids=["sleeping", "busy"])
def test_sigint_interrupts_the_main_thread_within_a_request(
    start_debuggee: Start, text: str
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", WAIT_FOR_SIGINT))
    with raw_connect(debuggee) as peer:
        root = peer.root()
        peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        debuggee.write("wait\n")
        assert debuggee.read_line() == "waiting"
        os.kill(debuggee.pid, signal.SIGINT)
        assert debuggee.read_line() == "interrupted"


def test_a_signal_ends_the_program_as_usual(start_debuggee: Start, connect: Connect) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
        debuggee = start_debuggee()
        connect(debuggee)
        os.kill(debuggee.pid, number)
        debuggee.ended = True
        assert debuggee.wait() == -number
        assert debuggee.stderr() == ""


def test_signal_handlers_run_while_a_client_is_connected(
    start_debuggee: Start, connect: Connect
) -> None:
    code = (
        "import os, signal, threading\n"
        "def handler(number, frame):\n"  # may arrive in the middle of the print() before
        "    os.write(1, b'got %d %a\\n' % (number, threading.current_thread().name))\n"
        "for n in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD): signal.signal(n, handler)\n"
    )
    debuggee = start_debuggee("plain.py", arguments=(code,))
    client = connect(debuggee)
    for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD):
        os.kill(debuggee.pid, number)
        assert debuggee.read_line() == f"got {int(number)} 'MainThread'"
        assert client.eval("1+1") == 2


@looks_at_every_thread
def test_our_threads_leave_all_signals_to_the_program(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    client.ping()
    client.execute("import threading")
    ours = stuck.threads() - set(
        client.eval("tuple(thread.native_id for thread in threading.enumerate())")
    )
    assert ours
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
    expected = set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP} - faults

    def blocked(thread: int) -> set[int]:
        status = Path(f"/proc/{stuck.pid}/task/{thread}/status").read_text()
        mask = int(status.partition("SigBlk:")[2].split()[0], 16)
        return {number for number in range(1, 32) if mask >> (number - 1) & 1}

    # Directly after a request, its session may not yet have finished it.
    wait_until(lambda: all(blocked(thread) == expected for thread in ours), "signals to be blocked")


def test_python_sees_no_thread_of_the_server(start_debuggee: Start, connect: Connect) -> None:
    watch = "import threading; print(threading.active_count(), flush=True)"
    debuggee = start_debuggee("plain.py", arguments=("", watch))
    clients = [connect(debuggee) for _ in range(5)]
    for client in clients:
        client.eval("__import__('threading').current_thread()")
        assert client.eval("__import__('threading').active_count()") == 1
    assert len(debuggee.threads()) >= 2
    debuggee.write("count\n")
    assert debuggee.read_line() == "1"


def test_the_stacks_show_none_of_our_threads(start_debuggee: Start) -> None:
    code = (
        "from pystuck import thread_probe\n"
        "print(len(list(thread_probe.stacks_repr_generator())), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code))
    with twenty_busy_clients(debuggee):
        debuggee.write("print them\n")
        assert debuggee.read_line() == "1"
        shown = run_program(
            c_program("PYSTUCK_BIN", "--no-ipython", debuggee.host, debuggee.port), check=True
        )
        titles = [line for line in shown.stdout.splitlines() if line.startswith("<")]
        assert [title.partition("(")[0] for title in titles] == ["<_MainThread"]


#: Requests that make Python enter the thread in its lists.
NOTICED = [
    "threading.current_thread()",
    "threading.current_thread().name",
    "threading.get_native_id()",
    "logging.getLogger('x').warning('logged')",
    "(threading.current_thread(), 1 / 0)",
    "list(concurrent.futures.ThreadPoolExecutor(2).map(str, range(9)))",
    "threading.Timer(0, int).start()",
    "asyncio.run(asyncio.sleep(0))",
    "call(threading.current_thread)",
    "queue.Queue().put(1)",
    "threading.local().__setattr__('x', 1)",
]


def test_no_request_leaves_a_thread_of_the_server_in_threading(
    start_debuggee: Start, connect: Connect
) -> None:
    before = (
        "import asyncio, concurrent.futures, io, logging, queue, threading\n"
        "logged = io.StringIO()\n"
        "logging.basicConfig(stream=logged, format='%(threadName)s %(thread)d %(message)s')\n"
        "def state():\n"
        "    names = sorted(t.name for t in threading.enumerate())\n"
        "    return [names, threading.active_count(), len(threading._active)]\n"
    )
    after = "for line in sys.stdin: print(json.dumps(state()), flush=True)"
    debuggee = start_debuggee("plain.py", arguments=(before, after))
    debuggee.write("\n")
    clients = [connect(debuggee) for _ in range(3)]
    for client in clients:
        client.execute("from __main__ import *; import asyncio\ndef call(f): return tell(f)")
        client.namespace["tell"] = lambda f: f()  # the server calls the client in a request

    def is_alone() -> bool:
        debuggee.write("\n")
        return json.loads(debuggee.read_line()) == [["MainThread"], 1, 1]

    for text in NOTICED:
        for client in clients:
            with contextlib.suppress(ZeroDivisionError):
                client.eval(text)
        # Python's own threads that a request has started take time to end.
        wait_until(is_alone, f"{text} to leave nothing")
    assert clients[0].eval("logged.getvalue().count('logged')") == 3
    debuggee.ended = True
    debuggee.popen.stdin.close()
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_the_programs_tracing_does_not_see_requests(
    start_debuggee: Start, connect: Connect
) -> None:
    before = (
        "import threading\n"
        "seen = set()\n"
        "def trace(frame, event, arg):\n"
        "    seen.add(threading.get_ident())\n"
        "    return trace\n"
        "for module in (threading, sys):\n"
        "    module.settrace(trace)\n"
        "    module.setprofile(trace)\n"
    )
    after = (
        "thread = threading.Thread(target=len, args=((),))\n"
        "thread.start(); thread.join()\n"
        "print(seen == {threading.get_ident(), thread.ident}, sys.gettrace() is trace, flush=True)"
    )
    debuggee = start_debuggee("plain.py", arguments=(before, after))
    for _ in range(5):
        client = connect(debuggee)
        client.execute("import json\ndef f(n): return json.dumps([n])")
        assert client.namespace["f"](5) == "[5]"
        assert client.eval("__import__('sys').gettrace() is None")
    debuggee.write("go on\n")
    assert debuggee.read_line() == "True True"


TRACED = """
import json, pystuck, sys
files = set()
def trace(frame, event, arg):
    files.add(frame.f_code.co_filename)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
pystuck.run_server(port=0).close()
sys.setprofile(None)
sys.settrace(None)
print(json.dumps([pystuck.run_server.__code__.co_filename in files, "<pystuck check>" in files]))
"""


def test_the_programs_tracing_does_not_see_the_check_of_the_offsets() -> None:
    assert run_python(TRACED) == [True, False]


REFERENCES = """
import sys
class Thing:
    def __init__(self): self.x = self
    def call(self, *args, **kwargs): return self
    def fail(self): raise ValueError(self)
thing, key = Thing(), "a key that is not interned \u2603"
def references():
    return sys.getrefcount(thing), sys.getrefcount(key), sys.getrefcount(Thing)
"""


def test_requests_keep_no_references(stuck: Debuggee, connect: Connect) -> None:
    observer = connect(stuck)
    observer.execute("import __main__ as ns\n" + REFERENCES + "ns.thing, ns.key = thing, key")
    before = tuple(observer.eval("references()"))
    client = connect(stuck)
    client.execute("import __main__ as ns")
    for _ in range(20):
        thing = client.eval("ns.thing")
        assert thing.x is thing
        assert thing.call(thing, (thing,), k=thing) is thing
        client.namespace["thing"] = thing
        assert client.eval("ns.key") in client.eval("{ns.key: 1}")
        with pytest.raises(ValueError, match="Thing"):
            thing.fail()
        with pytest.raises(AttributeError):
            thing.no_such_thing(thing)
        assert "Thing" in repr(thing) + str(thing)
        assert thing == thing  # noqa: PLR0124
        assert hash(thing)
        assert "call" in dir(thing)
        assert client.eval("(ns.thing, [ns.thing])")[0] is thing
    client.close()
    del thing
    wait_until(lambda: tuple(observer.eval("references()")) == before, "references to be dropped")


@pytest.mark.measures
def test_memory_of_requests_is_given_back(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    length = client.eval("len")
    data = bytes(5_000_000)

    def work(times: int) -> None:
        for _ in range(times):
            assert length(data) == len(data)
            assert len(client.eval("bytes(5_000_000)")) == len(data)
            assert len(client.eval("[bytes(5_000_000)]")) == 1

    work(5)
    before = stuck.rss()
    work(30)
    assert stuck.rss() - before < 30_000_000


COUNT_CLASSES = """
import gc
def count():
    gc.collect()
    classes = (o for o in gc.get_objects() if type(o) is type)
    return sum(cls.__base__.__name__ == 'Netref' for cls in classes)
"""


def test_classes_of_a_client_are_not_kept_for_ever(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    client = connect(start_debuggee(unix_socket=str(socket_dir / "s")))
    client.execute(COUNT_CLASSES)
    use = client.eval("lambda thing: thing.number")
    classes = [type("Thing", (), {"number": number}) for number in range(1200)]
    first = classes[0]()
    client.namespace["first"] = first
    for number, cls in enumerate(classes):
        assert use(cls()) == number
    assert client.eval("count()") < 600
    assert client.eval("first.number") == 0
    assert client.eval("lambda thing: thing is first")(first) is True


def switches(debuggee: Debuggee) -> list[str]:
    """Returns the number of context switches of each native thread."""
    found = []
    for thread in sorted(debuggee.threads()):
        status = Path(f"/proc/{debuggee.pid}/task/{thread}/status").read_text()
        found.append(status.partition("voluntary_ctxt_switches:")[2])
    return found


def is_quiet(debuggee: Debuggee) -> bool:
    """Returns True if no thread wakes up."""
    # This sleep is what is measured, not a wait for something.
    before = switches(debuggee)
    time.sleep(0.3)
    return switches(debuggee) == before


@looks_at_every_thread
def test_nothing_happens_while_no_client_is_connected(stuck: Debuggee, connect: Connect) -> None:
    connect(stuck).close()
    wait_until(lambda: is_quiet(stuck), "the server to be idle")


@looks_at_every_thread
def test_nothing_happens_while_clients_say_nothing(stuck: Debuggee) -> None:
    """This is true for any number of threads that served the clients before."""
    config = {"bind_threads": True}
    with rpyc.connect("127.0.0.1", stuck.port, service=rpyc.SlaveService, config=config) as c:
        c.root.execute("import threading; barrier = threading.Barrier(8)")
        wait = c.root.eval("barrier.wait")
        threads = [threading.Thread(target=wait) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        with raw_connect(stuck) as peer:
            assert peer.eval("1 + 1") == 2
            assert len(stuck.threads()) > 8
            wait_until(lambda: is_quiet(stuck), "the server to be idle")


def cpu_seconds(pid: int) -> float:
    """Returns the CPU seconds of a process so far."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.measures
def test_a_program_without_free_descriptors_is_left_in_peace(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    client.execute(
        "import os, resource\n"
        "limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "fd = os.dup(0); os.close(fd)\n"  # fd is the lowest free descriptor
        "def limit(): resource.setrlimit(resource.RLIMIT_NOFILE, (fd, limits[1]))\n"
        "def unlimit(): resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n"
    )
    unlimit = client.namespace["unlimit"]
    client.eval("limit()")
    with pytest.raises(OSError, match="Too many open files"):
        client.eval("os.dup(0)")
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(raw_connect(stuck)) for _ in range(3)]
        before = cpu_seconds(stuck.pid)
        # This sleep is what is measured, not a wait for something.
        time.sleep(0.5)
        assert cpu_seconds(stuck.pid) - before < 0.1
        assert client.eval("1+1") == 2
        unlimit()
        for peer in waiting:
            if not peer.works():  # the server may close the connection, too
                break
        assert connect(stuck).eval("1+1") == 2


def test_importing_pystuck_starts_nothing() -> None:
    answer = run_python(
        "import json, os, sys, threading\n"
        "modules = set(sys.modules)\n"
        "import pystuck\n"
        "print(json.dumps([len(os.listdir('/proc/self/task')), threading.active_count()]))\n"
    )
    assert answer == [1, 1]


def test_run_server_does_without_rpyc_in_the_debuggee(stuck: Debuggee, connect: Connect) -> None:
    client = connect(stuck)
    assert client.eval("'rpyc' in __import__('sys').modules") is False


def test_the_interpreter_can_be_one_that_ignores_its_environment() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); import pystuck\n"
        "print(pystuck.run_server(port=0).port > 0)"
    )
    environment = debuggee_environment()
    path = environment.pop("PYTHONPATH")
    done = subprocess.run(
        [python(), "-I", "-S", "-X", "dev", "-W", "error", "-c", code, path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


#: A thread of the program that counts, and its count.
COUNT = """
import threading, time
counted = [0]
def count():
    while True:
        counted[0] += 1
        time.sleep(0.0001)
threading.Thread(target=count, daemon=True).start()
"""


@pytest.mark.rotates(4)
def test_the_program_goes_on_while_a_message_that_takes_long_is_read(
    start_debuggee: Start,
) -> None:
    """A set of numbers with equal hashes: each is compared with all earlier ones."""
    debuggee = start_debuggee("plain.py", arguments=(COUNT,))
    numbers = frozenset((2**61 - 1) * n for n in range(1, 10_000))
    with raw_connect(debuggee) as peer:
        main = peer.value(Handler.CALLATTR, peer.root(), "getmodule", ("__main__",))
        counted = peer.value(Handler.GETATTR, main, "counted")
        before = peer.value(Handler.CALLATTR, counted, "__getitem__", (0,))
        # `index` searches the counts for its argument, after that has been read.
        peer.request(Handler.CALLATTR, counted, "index", (numbers,))
        after = peer.value(Handler.CALLATTR, counted, "__getitem__", (0,))
    assert after - before > 50
