# SPDX-License-Identifier: BSD-3-Clause
"""The collector of stacks in programs that are stuck: what blocks is left out, and said."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    RPYC6,
    Debuggee,
    build_setting,
    command,
    debuggee_environment,
    pystuck,
    python,
    run_python,
    start_stuck,
    wait_until,
)
from rawpeer import Handler, raw_connect

Start = Callable[..., Debuggee]

REPR, SOURCE = 1, 2

COLLECTOR = build_setting("PYSTUCK_COLLECTOR")

#: Has five threads whose repr() waits for a lock, and one module whose loader waits for it. A
#: dummy thread is made in each such repr(), as it is if the repr() logs something.
BLOCKED = """
import threading, time
stuck, ending, waiting = threading.Lock(), threading.Event(), []
class Worker(threading.Thread):
    def __repr__(self):
        threading.current_thread()
        with stuck:
            return "<a worker>"
class Loader:
    def get_source(self, name):
        with stuck:
            return "def work():\\n    wait()  # by the loader\\n"
def wait():
    waiting.append(1)
    ending.wait()
module = dict(__name__="lazy", __file__="/no/lazy.py", __loader__=Loader(), wait=wait)
exec(compile("def work():\\n    wait()\\n", "/no/lazy.py", "exec"), module)
for number in range(5):
    Worker(target=wait, name=f"worker-{number}", daemon=True).start()
threading.Thread(target=module["work"], name="lazy", daemon=True).start()
while len(waiting) < 6:
    time.sleep(0.001)
stuck.acquire()
"""

#: From Python 3.12 on, notes the file of each function of Python that is called on any thread.
MONITORED = """
import sys
called = []
if hasattr(sys, "monitoring"):
    sys.monitoring.use_tool_id(5, "test")
    events = sys.monitoring.events
    sys.monitoring.register_callback(
        5, events.PY_START, lambda code, offset: called.append(code.co_filename)
    )
    sys.monitoring.set_events(5, events.PY_START)
"""

#: Threads that are left behind in it: the loader's, and for the class Worker at most three.
LEFT_BEHIND = 4


@pytest.fixture(scope="module")
def blocked() -> Iterator[Debuggee]:
    argv = command("plain.py", '{"port": 0}', BLOCKED + MONITORED, "ending.set()")
    debuggee = Debuggee(argv, debuggee_environment())
    try:
        yield debuggee
        debuggee.end_well()  # although threads are left behind
    finally:
        debuggee.kill()


def stacks(debuggee: Debuggee, *options: str) -> dict[str, dict[str, Any]]:
    """The threads that the client shows as JSON, by name."""
    done = pystuck("--json", *options, debuggee.host, debuggee.port)
    assert (done.returncode, done.stderr) == (0, "")
    return {each["name"]: each for each in json.loads(done.stdout)["threads"]}


def request_stacks(debuggee: Debuggee, times: int = 1, budget: int = 500) -> Any:
    with raw_connect(debuggee) as peer:
        peer.root()
        for _ in range(times):
            answer = peer.value(Handler.STACKS, 2, REPR | SOURCE, budget)
    return answer[1]


def test_what_blocks_is_left_out_and_said(blocked: Debuggee) -> None:
    found = stacks(blocked)
    workers = [found[f"worker-{number}"] for number in range(5)]
    assert {each["repr_status"] for each in workers} <= {"stuck", "skipped"}
    assert workers[0]["repr_status"] == "stuck"
    assert workers[0]["repr"] == "<Worker(worker-0): its repr() is blocked>"
    assert found["MainThread"]["repr"].startswith("<_MainThread(MainThread, started ")
    frame = next(each for each in found["lazy"]["frames"] if each["function"] == "work")
    assert (frame["source"], frame["source_status"]) == (None, "stuck")
    assert found["lazy"]["frames"][0]["source_status"] == "ok"


def left_behind(debuggee: Debuggee) -> int:
    """The number of threads that pystuck has left behind."""
    names = []
    for thread in debuggee.threads():
        with contextlib.suppress(OSError):  # it has just ended
            names.append(Path(f"/proc/{debuggee.pid}/task/{thread}/comm").read_text())
    return names.count("pystuck-aside\n")


def test_what_blocks_is_not_tried_again_by_any_client(
    blocked: Debuggee, connect: Callable[[Debuggee], Any]
) -> None:
    def is_settled() -> bool:
        request_stacks(blocked)
        return left_behind(blocked) == LEFT_BEHIND

    wait_until(is_settled, "the blocked calls to be known")
    holdings = blocked.holdings()
    request_stacks(blocked, times=100)
    client = connect(blocked)
    for _ in range(2):  # copies of the collector that clients have sent
        client.execute(f"names = {{}}\nexec({Path(COLLECTOR).read_text()!r}, names)")
        titles = [thread[8] for thread in client.eval("names['collect'](1)[17]")]
        assert "<Worker(worker-0): its repr() is blocked>" in titles
        assert len(titles) == 7
    assert left_behind(blocked) == LEFT_BEHIND
    client.close()
    blocked.wait_until_back_to(holdings)


def test_threads_that_are_left_behind_are_in_no_list(blocked: Debuggee) -> None:
    names = [thread[4] for thread in request_stacks(blocked)[17]]
    wanted = ["MainThread", "lazy", *[f"worker-{number}" for number in range(5)]]
    assert sorted(names, key=str) == sorted(wanted)
    code = "import threading\nsorted(threading._active[ident]._name for ident in threading._active)"
    done = pystuck("--no-stacks", blocked.host, blocked.port, stdin=code)
    assert ast.literal_eval(done.stdout) == sorted(wanted)


def test_functions_that_monitor_calls_do_not_see_the_collector(blocked: Debuggee) -> None:
    main = "__import__('__main__')"
    with raw_connect(blocked) as peer:
        peer.eval(f"{main}.called.clear()")
        request_stacks(blocked)
        request_stacks(blocked, budget=0)
        called = peer.eval(f"repr({main}.called)")
        assert peer.eval("hasattr(__import__('sys'), 'monitoring')") == ("<pystuck>" in called)
    assert "/pystuck/_" not in called


def test_a_budget_of_nothing_calls_nothing(blocked: Debuggee) -> None:
    for budget in (0, -5):
        answer = request_stacks(blocked, budget=budget)
        assert ("source", "the time limit for all calls together was reached") in answer[14]
        (main,) = (each for each in answer[17] if each[7])
        assert (main[9], main[14][-1][5]) == ("ok", "skipped")


def test_what_has_blocked_is_shown_when_it_works_again(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=(BLOCKED, "ending.set()"))
    request_stacks(debuggee)
    assert stacks(debuggee)["worker-0"]["repr_status"] == "stuck"
    assert left_behind(debuggee) == LEFT_BEHIND
    pystuck("-c", "import __main__; __main__.stuck.release()", debuggee.host, debuggee.port)
    wait_until(lambda: left_behind(debuggee) == 0, "threads to end")
    found = stacks(debuggee)
    assert {found[f"worker-{number}"]["repr"] for number in range(5)} == {"<a worker>"}
    frame = next(each for each in found["lazy"]["frames"] if each["function"] == "work")
    assert frame["source"] == "wait()  # by the loader"
    code = "import sys; print([each for each in dir(sys) if 'stuck' in each])"
    assert pystuck("-c", code, debuggee.host, debuggee.port).stdout == "[]\n"


def test_clients_of_a_stock_server_leave_one_thread_behind_for_each_call() -> None:
    debuggee = start_stuck(RPYC6)
    try:
        code = BLOCKED.replace("range(5)", "range(1)").replace("< 6", "< 2")
        done = pystuck("--no-stacks", debuggee.host, debuggee.port, stdin=f"exec({code!r}, {{}})")
        assert (done.returncode, done.stderr) == (0, "")
        found = stacks(debuggee)
        assert found["worker-0"]["repr"] == "<Worker(worker-0): its repr() is blocked>"
        before = len(debuggee.threads())
        for _ in range(3):
            again = stacks(debuggee)
            assert again["worker-0"]["repr_status"] == "stuck"
            assert len(again) == len(found)
        wait_until(lambda: len(debuggee.threads()) <= before, "the threads of clients to end")
        found = stacks(debuggee, "--no-exec")
        assert found["worker-0"]["repr"] == "<Worker(worker-0): its repr() was not called>"
        assert found["lazy"]["repr"].startswith("<Thread(lazy, started daemon ")
        frames = found["lazy"]["frames"]
        assert [frame["function"] for frame in frames][-4:] == ["work", "wait", "wait", "wait"]
        assert frames[0]["source"] == "self._bootstrap_inner()"
    finally:
        debuggee.kill()


#: Loads the collector as a program without pystuck does, and compares titles with repr().
PLAIN = """
import _thread, json, sys, threading, types
collector = types.ModuleType("collector")
sys.setswitchinterval(0.001)
exec(open(sys.argv[1]).read(), vars(collector))
started, ending, objects = [], threading.Event(), []
def wait(*unused):
    objects.append(threading.current_thread())
    started.append(1)
    ending.wait()
class Mine(threading.Thread):
    extra = 5
class Other(threading.Thread):
    def __repr__(self): return "<other>"
class Named(threading.Thread):
    __class__ = property(lambda self: Other)
class After:
    __class__ = property(lambda self: Other)
class Mixed(threading.Thread, After): pass
class Meta(type):
    __name__ = property(lambda self: "foreign")
class OfMeta(threading.Thread, metaclass=Meta): pass
kinds = [
    threading.Thread(target=wait, daemon=True),
    threading.Thread(target=wait, name="gr\\xfcn \\udcff\\n", daemon=False),
    Mine(target=wait, daemon=True),
    Other(target=wait, daemon=True),
    Named(target=wait, daemon=True),
    OfMeta(target=wait, daemon=True),
    Mixed(target=wait, daemon=True),
    threading.Timer(0, wait),
]
kinds[-1].daemon = True
for each in kinds: each.start()
_thread.start_new_thread(wait, ())
while len(started) < 9:
    threading.Event().wait(0.001)
called = []
threading.Thread.isDaemon = lambda self: called.append(1)
items = vars(collector)["call_all"]
def call_all(all_items):
    called.extend(item.key[0] for item in all_items)
    items(all_items)
vars(collector)["call_all"] = call_all
found = collector.collect(1)[17]
titles = {each[1]: each[8] for each in found}
pairs = [(titles[ident], collector.sendable(repr(thread)))
         for ident, thread in list(threading._active.items()) if ident in titles]
print(json.dumps({"pairs": pairs, "called": called}))
ending.set()
"""


def test_plain_titles_are_those_of_repr_without_calling_it() -> None:
    answer = run_python(PLAIN, COLLECTOR)
    assert len(answer["pairs"]) == 9  # and the calling thread, which is left out
    assert [title for title, _ in answer["pairs"]] == [text for _, text in answer["pairs"]]
    assert answer["called"] == ["repr"] * 4  # Other, Named, OfMeta, Mixed


#: A program that has replaced all that it could, before or after it loads the collector.
PATCHED = """
import json, os, sys, threading, types, warnings
if sys.argv[1] == "before": import pystuck._stacks
import _thread, builtins, io, linecache, posix, stat, time, tokenize, traceback
def refuse(*args, **kwargs):
    raise RuntimeError("patched")
ending, started = threading.Event(), threading.Event()
def wait():
    started.set()
    ending.wait()  # the line
class Worker(threading.Thread):
    def __repr__(self): return "<own>"
Worker(target=wait, daemon=True).start()
started.wait()
main, start = threading.main_thread(), _thread.start_new_thread
if sys.argv[2] == "gevent":  # what its monkey-patching does
    real = _thread.get_ident()
    saved = {"_thread": {}}
    for name in ("get_ident", "start_new_thread", "allocate_lock"):
        saved["_thread"][name] = vars(_thread)[name]
    _thread.get_ident, _thread.start_new_thread = lambda: 5, refuse
    _thread.allocate_lock = lambda: saved["_thread"]["allocate_lock"]()
    threading.get_ident = _thread.get_ident
    main._ident = 5
    threading._active[5] = threading._active.pop(real)
    monkey = sys.modules["gevent.monkey"] = types.ModuleType("gevent.monkey")
    monkey.saved = saved
else:
    threading.get_ident = threading.main_thread = threading.current_thread = refuse
if sys.argv[1] == "after": import pystuck._stacks
for module, names in [
    (builtins, "open"), (io, "open"),
    (os, "stat open fstat read getpid uname readlink fspath"),
    (linecache, "getline getlines checkcache updatecache lazycache"),
    (tokenize, "open detect_encoding"), (traceback, "format_stack extract_stack"),
    (time, "time monotonic perf_counter sleep"), (threading, "enumerate Thread"),
    (os.path, "isabs join"), (stat, "S_ISDIR"),
]:
    for name in names.split(): setattr(module, name, refuse)
warnings.simplefilter("error")
traced = []
def trace(frame, event, arg):
    if "/pystuck/_" in frame.f_code.co_filename: traced.append(frame.f_code.co_name)
    return trace
collect = pystuck._stacks.collect
def answer():
    sys.settrace(trace)
    found = collect(3)
    is_traced = sys.gettrace() is trace
    sys.settrace(None)
    threads = [(each[8], [f[4] for f in each[14] if f[2] == "wait"]) for each in found[17]]
    main = [each[7] for each in found[17]]
    print(json.dumps([threads, main, traced, is_traced, found[14]]), flush=True)
    os._exit(0)
sys.setrecursionlimit(60)
start(answer, ())
ending.wait()
"""


@pytest.mark.parametrize("how", [("before", "gevent"), ("after", "gevent"), ("before", "others")])
def test_settings_of_the_program_do_not_matter(how: tuple[str, str], tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PATCHED)
    done = subprocess.run(
        [python(), str(script), *how],
        env=debuggee_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    threads, main, traced, is_traced, missing = json.loads(done.stdout)
    assert [title.partition(", started ")[0] for title, _ in threads] == [
        "<_MainThread(MainThread",
        "<own>",
    ]
    assert ["ending.wait()  # the line" in lines for _, lines in threads] == [False, True]
    assert (main, missing) == ([True, False], [])
    assert set(traced) <= {"collect", "begin", "finish", "__enter__", "__exit__"}
    assert is_traced


#: Asks the collector for source lines. `lines(name, source, **globals)` are those of a function
#: that was compiled with this file name.
LINES = r"""
import json, linecache, os, sys, threading, types
collector = types.ModuleType("collector")
exec(open(sys.argv[1]).read(), vars(collector))
os.chdir(sys.argv[2])
class Loader:
    def get_source(self, name): return f"# source of {name}\nline 2\n"
def line(name, number=2, **names):
    code = compile("\n" * (number - 1) + "1", name, "exec")
    sources = collector.Sources()
    sources.want(code, [number], names)
    sources.fetch()
    return sources.line(name, number)
def write(name, data):
    with open(name, "wb") as file: file.write(data)
    return os.path.abspath(name)
found = {}
path = write("plain.py", b"first\n  second \x0c x\n")
found["absolute"] = line(path)
found["beyond"] = line(path, 9)
found["latin"] = line(write("latin.py", "# -*- coding: latin-1 -*-\ngr\xfcn".encode("latin-1")))
found["gbk"] = line(write("gbk.py", "#!x\r\n# coding=gbk\r\n\u4e2d\r\n".encode("gbk")), 3)
found["mark"] = line(write("mark.py", b"\xef\xbb\xbfone\rtwo\r"), 1)
found["invalid"] = line(write("invalid.py", b"a\n\xff\n"))
write("plain.py", b"first\nchanged\n")
found["changed"] = line(path)
# Names that are not files of the current directory.
write("<stdin>", b"1\nwrong\n"), write("rules", b"1\nwrong\n"), write("-", b"1\nwrong\n")
main = dict(__name__="__main__", __file__=write("main.py", b"1\nwrong\n"), __loader__=Loader())
found["stdin"] = line("<stdin>", **main)
found["made up"] = line("rules", **main)
linecache.lazycache("rules", main), linecache.lazycache("/no/such.py", main)
found["after a traceback"] = line("rules", **main)
found["made up, absolute"] = line("/no/such.py", **main)
found["of the module"] = line("main.py", **main)
# Sources that are not files.
zipped = dict(__name__="m", __file__="/x.zip/m.py", __loader__=Loader())
found["from a loader"] = line("/x.zip/m.py", **zipped)
linecache.cache["<ipython-1>"] = (5, None, ["a\n", "cell\n"], "<ipython-1>")
found["cell"] = line("<ipython-1>")
linecache.cache["generated"] = (lambda: "a\nlazy\n",)
found["lazy"] = line("generated", **main)
found["lazy file"] = line("main.py", **dict(main, __file__="main.py"))
# A process that waits for a reader of a FIFO goes on waiting.
os.mkfifo("fifo.py")
writer = threading.Thread(target=lambda: os.open("fifo.py", os.O_WRONLY), daemon=True)
writer.start()
found["fifo"] = line(os.path.abspath("fifo.py"))
found["writer waits"] = writer.is_alive()
found["directory"] = line(os.getcwd())
# A file that was replaced by a FIFO, or grows, after its size was read.
os.mkfifo("replaced.py")
found["replaced"] = collector._read("replaced.py", 5)
found["grown"] = collector._read("plain.py", 5)
collector._FILE_MAX, collector._FILES_REMEMBERED = 9, 2
found["too long"] = [collector._read("plain.py", 14), line(write("long.py", b"first\nsecond\n"))]
linecache.cache[path] = (5, 1.0, ["a\n", "stale\n"], path)
found["of a file"] = line(path)
collector._FILE_MAX = 99
for number in range(5): line(write(f"{number}.py", b"1\n2\n"))
found["remembered"] = len(collector._remembered) <= 2
print(json.dumps(found))
"""


def test_source_lines_are_those_of_the_code(tmp_path: Path) -> None:
    found = run_python(LINES, COLLECTOR, str(tmp_path))
    nothing, failed = [None, "error"], [None, "error"]
    assert found == {
        "absolute": ["  second \x0c x", "ok"],
        "beyond": nothing,
        "latin": ["gr\xfcn", "ok"],
        "gbk": ["\u4e2d", "ok"],
        "mark": ["one", "ok"],
        "invalid": ["\ufffd", "ok"],
        "changed": ["changed", "ok"],
        "stdin": nothing,
        "made up": nothing,
        "after a traceback": nothing,
        "made up, absolute": nothing,
        "of the module": ["wrong", "ok"],
        "from a loader": ["line 2", "ok"],
        "cell": ["cell", "ok"],
        "lazy": ["lazy", "ok"],
        "lazy file": ["wrong", "ok"],
        "fifo": failed,
        "writer waits": True,
        "directory": failed,
        "replaced": None,
        "grown": None,
        "too long": [None, failed],
        "of a file": ["changed", "ok"],
        "remembered": True,
    }


#: Greenlets of several classes, whose repr() is called or not.
GREENLETS = """
import json, sys, threading, types
import greenlet
collector = types.ModuleType("collector")
exec(open(sys.argv[1]).read(), vars(collector))
stuck, called, keys = threading.Lock(), [], []
class Mine(greenlet.greenlet):
    def __repr__(self):
        with stuck: return "<mine>"
class Bad(greenlet.greenlet):
    def __repr__(self): raise ValueError
def wait(): greenlet.getcurrent().parent.switch()
all_greenlets = [cls(wait) for cls in (greenlet.greenlet, Mine, Bad)]
for each in all_greenlets: each.switch()
call_all = collector.call_all
def note(items):
    keys.extend(item.kind.__name__ for item in items)
    call_all(items)
collector.call_all = note
def titles(): return {each[0]: each[1:3] for each in collector.collect(9)[18]}
ids = [f"greenlet:{id(each):#x}" for each in all_greenlets]
stuck.acquire()
found = titles()
stuck.release()
for _ in range(500):  # a call takes longer than its time if the machine is busy
    threading.Event().wait(0.01)
    again = titles()
    if not any(again[each][1] == "stuck" for each in ids):
        break
print(json.dumps([[found[each] for each in ids], [again[each] for each in ids], sorted(keys),
    repr(all_greenlets[0])]))
"""


def test_titles_of_greenlets() -> None:
    path = [build_setting("PYSTUCK_PYTHONPATH"), build_setting("PYSTUCK_GREENLET")]
    found, again, keys, plain = run_python(GREENLETS, COLLECTOR, PYTHONPATH=os.pathsep.join(path))
    assert found[0] == again[0] == [plain, "ok"]
    assert found[1][0].startswith("<Mine at 0x")
    assert found[1][0].endswith(": its repr() is blocked>")
    assert (found[1][1], again[1]) == ("stuck", ["<mine>", "ok"])
    assert again[2][0].endswith(" (its repr raised ValueError)")
    assert set(keys) == {"Bad", "Mine"}


#: Has threads whose repr() computes until it is told to stop, or waits for a lock.
COMPUTES = """
import json, sys, threading, types
if len(sys.argv) > 2: import _pystuck
collector = types.ModuleType("collector")
exec(open(sys.argv[1]).read(), vars(collector))
stuck, ending, goes_on, waiting = threading.Lock(), threading.Event(), [1], []
class Computing(threading.Thread):
    def __repr__(self):
        while goes_on: pass
        return "<done>"
class Blocked(threading.Thread):
    def __repr__(self):
        with stuck: return "<free>"
def wait():
    waiting.append(1)
    ending.wait()
Blocked(target=wait, name="b", daemon=True).start()
Computing(target=wait, name="c", daemon=True).start()
while len(waiting) < 2: threading.Event().wait(0.001)
stuck.acquire()
def titles(): return {thread[4]: thread[8:10] for thread in collector.collect(1, 9000)[17]}
called = collector.call_all
def call_all(items):
    for item in items:
        if item.kind is Computing: item.deadline = collector.system.now() + 0.3
    called(items)
collector.call_all = call_all
found = [titles(), titles()]
goes_on.clear()
stuck.release()
while "yet" in titles()["c"][0] or "blocked" in titles()["b"][0]: threading.Event().wait(0.01)
print(json.dumps([*found, titles()]))
"""


@pytest.mark.parametrize("more", [(), ("extension",)])
def test_a_repr_that_computes_is_not_called_blocked(more: tuple[str, ...]) -> None:
    found = run_python(COMPUTES, COLLECTOR, *more)
    for titles in found[:2]:
        assert titles == {
            "b": ["<Blocked(b): its repr() is blocked>", "stuck"],
            "c": ["<Computing(c): its repr() has not returned yet>", "stuck"],
        }
    assert found[2] == {"b": ["<free>", "ok"], "c": ["<done>", "ok"]}


#: A program without the extension, in which a repr() blocks.
ALONE = """
import json, os, sys, threading, types, warnings
warnings.simplefilter("ignore")  # of a fork with threads
sys.modules["_pystuck"] = None
collector = types.ModuleType("collector")
exec(open(sys.argv[1]).read(), vars(collector))
stuck, ending, started = threading.Lock(), threading.Event(), threading.Event()
class Worker(threading.Thread):
    def __repr__(self):
        threading.current_thread()
        with stuck: return "<worker>"
def wait():
    started.set()
    ending.wait()
worker = Worker(target=wait, name="w", daemon=True)
worker.start()
started.wait()
stuck.acquire()
def tasks(): return len(os.listdir("/proc/self/task"))
def titles(): return [(thread[8], thread[9]) for thread in collector.collect(1)[17]]
found = {"first": titles(), "threads": len(collector.threads())}
found["listed"] = [len(threading.enumerate())]
(helper,) = [key[1] for key in collector._registry() if key[0] == "thread"]
threading._active[5] = threading.Thread(name="made later, by the call")
threading._active[5]._native_id = helper
collector.collect(0)
found["listed"].append(len(threading._active))
begun = threading.Event()
def begin():  # a helper thread that is not in the registry yet
    begun.set()
    ending.wait()
collector._run_aside(begin, lambda: -1 if begun.is_set() else 0.01)
before = tasks()
found["again"] = [titles() for _ in range(20)][-1]
found["growth"] = tasks() - before
reading, writing = os.pipe()
child = os.fork()
if child == 0:  # only this thread is there, and nothing blocks
    former, worker = worker, Worker(name="child")
    threading._active[threading.get_ident() + 1] = worker
    found["child"] = [collector._registry(), collector.titles([(1, threading.main_thread())])]
    stuck.release()
    found["child"].append(collector.titles([(2, worker), (3, former)]))
    os.write(writing, json.dumps(found["child"]).encode())
    os._exit(0)
found["child"] = json.loads(os.read(reading, 4096))
os.waitpid(child, 0)
real = collector._run_aside
def no_thread(*args): raise RuntimeError("can't start new thread")
collector._run_aside = no_thread
other = Worker(target=ending.wait, name="x", daemon=True)
other.start()
found["no thread"] = collector.collect(3)
found["no thread"] = [found["no thread"][14], [thread[8] for thread in found["no thread"][17]],
    [thread[14][-1][5] for thread in found["no thread"][17]]]
print(json.dumps(found))
"""


def test_the_collector_works_alone() -> None:
    """Without the extension, as on a stock server. The program ends although a call blocks."""
    found = run_python(ALONE, COLLECTOR)
    blocked = ["<Worker(w): its repr() is blocked>", "stuck"]
    assert (found["first"], found["again"], found["growth"]) == ([blocked], [blocked], 0)
    assert (found["threads"], found["listed"]) == (1, [2, 2])
    registry, main, workers = found["child"]
    assert (registry, workers) == ({}, {"2": "<worker>", "3": "<worker>"})
    assert main["1"].startswith("<_MainThread(MainThread, started ")
    missing, titles, sources = found["no thread"]
    why = "no thread can be started"
    assert missing == [["repr", why], ["source", why]]
    assert titles == [blocked[0], f"<Worker(x): its repr() was not called: {why}>"]
    assert set(sources) == {"skipped"}


#: Waits in a file of its own. Its server finds no source lines.
NO_SOURCE = """
import os, threading
import pystuck._source_lines
pystuck._source_lines._found_lines = lambda *arguments: {}
ending, started = threading.Event(), threading.Event()
def start(path):
    names = dict(ending=ending, started=started)
    exec(compile(open(path, "rb").read(), path, "exec"), names)
    threading.Thread(target=names["work"], name=os.path.basename(path), daemon=True).start()
    started.wait()
"""

WORK = "# coding: latin-1\nstarted.set()\ndef work():\n    ending.wait()  # gr\xfcn\n"


@pytest.fixture(scope="module")
def sourceless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Debuggee, Path]]:
    """A program that cannot read its source, and the directory with its files."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("right.py", "newer.py", "fifo.py", "link.py", "utf8.py"):
        (folder / name).write_text(WORK, encoding="latin-1")
    (folder / "utf8.py").write_text(WORK.replace("latin-1", "utf_8"), encoding="utf-8")
    code = NO_SOURCE + f"for name in os.listdir({str(folder)!r}):\n"
    code += f"    start(os.path.join({str(folder)!r}, name))\n"
    argv = command("plain.py", '{"port": 0}', code, "ending.set()")
    debuggee = Debuggee(argv, debuggee_environment())
    try:
        yield debuggee, folder
        debuggee.end_well()
    finally:
        debuggee.kill()


def client_lines(debuggee: Debuggee) -> dict[str, Any]:
    return {
        name: (frame["source"], frame["source_status"])
        for name, thread in stacks(debuggee).items()
        for frame in thread["frames"]
        if frame["function"] == "work"
    }


def test_the_client_reads_source_that_the_program_cannot_read(
    sourceless: tuple[Debuggee, Path],
) -> None:
    debuggee, folder = sourceless
    (folder / "newer.py").write_text(WORK.replace("# gr", "# another line"), encoding="latin-1")
    (folder / "fifo.py").unlink()
    os.mkfifo(folder / "fifo.py")
    (folder / "link.py").unlink()
    (folder / "link.py").symlink_to("/dev/zero")
    assert client_lines(debuggee) == {
        "right.py": ("ending.wait()  # gr\xfcn", "ok"),
        "utf8.py": ("ending.wait()  # gr\xfcn", "ok"),
        "newer.py": (None, "error"),
        "fifo.py": (None, "error"),
        "link.py": (None, "error"),
    }


def test_the_client_reads_source_while_the_gil_is_held() -> None:
    code = "import ctypes; ctypes.PyDLL(None).sleep(1000)  # keeps the GIL"
    debuggee = Debuggee(command("plain.py", '{"port": 0}', "", code), debuggee_environment())

    def answer_without_gil() -> dict[str, Any] | None:
        done = pystuck("--json", debuggee.host, debuggee.port)
        found = json.loads(done.stdout or "{}")
        return found if found.get("source") == "self" else None

    try:
        debuggee.write("\n")
        found = wait_until(answer_without_gil, "the GIL to be held")
        (main,) = found["threads"]
        assert (main["frames"][0]["source"], main["frames"][0]["source_status"]) == (
            "exec(after)",
            "ok",
        )
        assert "source" not in str(found["missing"])
    finally:
        debuggee.kill()
