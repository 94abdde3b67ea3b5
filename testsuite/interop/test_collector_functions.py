# SPDX-License-Identifier: BSD-3-Clause
"""Functions of the collector, with input that programs rarely have: objects whose methods must not
run, and calls of other clients that may block."""

from __future__ import annotations

from harness import build_setting, run_python

COLLECTOR = build_setting("PYSTUCK_COLLECTOR")

#: Loads the collector as the client sends it.
LOAD = """
import json, sys, threading, types
collector = types.ModuleType("collector")
exec(open(sys.argv[1]).read(), vars(collector))
found = {}
"""

#: Reads objects of hostile classes. `ran` has the names of the methods that ran.
READ = """
ran = []
def spy(name, result=None):
    def method(self, *arguments, **options):
        ran.append(name)
        return result
    return method
class Meta(type):
    __eq__, __hash__ = spy("Meta.__eq__", True), type.__hash__
    __instancecheck__ = spy("Meta.__instancecheck__", True)
class Hostile(metaclass=Meta):
    __class__ = property(spy("__class__", str))
    __repr__ = __str__ = spy("__repr__", "hostile")
    __format__ = spy("__format__", "hostile")
    __bool__ = spy("__bool__", True)
class Names(dict):
    get = spy("Names.get")
class Text(str):
    __eq__, __hash__ = spy("Text.__eq__", True), spy("Text.__hash__", 5)
class Module(types.ModuleType):
    __dict__ = property(spy("Module.__dict__", {}))
class Arguments(list):
    __iter__ = spy("Arguments.__iter__", iter("abc"))
class Thing:
    __slots__ = "slot", "__dict__"
    __module__ = Hostile()
    asked = property(spy("Thing.asked", 5))
    shadowed = 5
class Other(metaclass=Meta):
    pass

thing = Thing()
thing.slot, thing.own, thing.shadowed = 1, 2, 3
found["fields"] = [collector.field(thing, each) for each in "asked slot own shadowed none".split()]
found["type"] = collector.type_name(Thing)
odd, named, vague = (threading.Thread(name="x") for _ in range(3))
odd.__dict__ = Names(vars(odd))
named._name, vague._daemonic = Text("y"), Hostile()
vague._ident = 5
found["own fields"] = [collector.own_field(each, "_name", str) for each in (odd, named)]
found["title"] = collector._plain_title(vague)
sys.modules["odd"] = Module("odd")
found["module"] = collector.names_of("odd")
found["class"] = collector.is_of(Hostile(), Other)
found["kinds"] = [collector._is_same_kind(Hostile, each) for each in (Other, Hostile)]
found["argument"] = collector._argument(Hostile()).partition(" at ")[0]
sys.argv, arguments = Arguments(sys.argv), sys.argv
found["arguments"] = collector._arguments()
sys.argv = arguments

# What replaces a class or a method may have any repr().
sys.modules["greenlet"] = types.ModuleType("greenlet")
sys.modules["greenlet"].greenlet = Hostile
usual, threading.Thread.__repr__ = threading.Thread.__repr__, spy("Thread.__repr__", "")
code = compile("1", "<x>", "exec")
sources = collector.Sources()
sources.want(code.replace(co_name=Text("f")), [1], {})
sources.want(code.replace(co_filename="/no/such.py"), [1], Names())
found["sources"] = len(sources.items())
found["replaced"] = [collector._plain_title(each) for each in (Hostile(), threading.main_thread())]
threading.Thread.__repr__ = usual
del sys.modules["greenlet"]
found["ran"] = ran[:]

# A thread that ends meanwhile.
ending, started = threading.Event(), threading.Event()
def wait():
    started.set()
    ending.wait()
worker = threading.Thread(target=wait, name="worker")
worker.start()
started.wait()
idents, alive = [threading.main_thread().ident], collector.alive
both = [each[4] for each in collector.collect(0, own_thread=True)[17]]
collector.alive = lambda: idents
found["threads"] = [both, [each[4] for each in collector.collect(0, own_thread=True)[17]]]
collector.alive = alive
ending.set()
worker.join()

# Exceptions.
def fail(error):
    raise error
try:
    collector.attempt(lambda: fail(KeyboardInterrupt()))
except KeyboardInterrupt:
    found["attempts"] = ["interrupted", collector.attempt(lambda: fail(SystemExit()), "otherwise")]
class Nameless(type):
    __name__ = property(lambda self: fail(ValueError()))
class Worse(Exception, metaclass=Nameless):
    pass
class Ends:
    def __repr__(self):
        raise SystemExit
class Fails(threading.Thread):
    def __repr__(self):
        raise Worse
titles = []
for each in (Ends(), Fails(name="f")):
    made = collector.Titles(collector.system.now() + 1000)
    made.add(each)
    (item,) = made.items()
    item.status, item.result = "ok", collector.attempt(lambda: collector._title(each))
    titles.append(made.of(1, each))
found["titles"] = titles

# The functions of the collector that a profiler sees.
seen = set()
def profile(frame, event, arg):
    if frame.f_globals is vars(collector):
        seen.add(frame.f_code.co_name)
sys.setprofile(profile)
collector.collect(0)
found["profiled"] = [sys.getprofile() is profile, []]
sys.setprofile(None)
found["profiled"][1] = sorted(seen)
print(json.dumps(found))
"""


def test_objects_are_read_without_their_methods() -> None:
    found = run_python(LOAD + READ, COLLECTOR)
    ends, fails = found.pop("titles")
    assert ends[0].endswith(" (its repr raised SystemExit)")
    assert (ends[1], fails) == ("error", ["<Fails(f): its repr() failed>", "error"])
    assert found == {
        "fields": [None, 1, 2, 3, None],
        "type": "Thing",
        "own fields": [None, None],
        "title": None,
        "module": {},
        "class": False,
        "kinds": [False, True],
        "argument": "<__main__.Hostile object",
        "arguments": [],
        "sources": 0,
        "replaced": [None, None],
        "ran": [],
        "threads": [["MainThread", "worker"], ["MainThread"]],
        "attempts": ["interrupted", "otherwise"],
        "profiled": [True, ["__enter__", "__exit__", "begin", "collect", "finish"]],
    }


#: Makes calls while the registry has calls of other clients.
CALLS = """
sys.modules["_pystuck"] = None
called, now, pid = [], collector.system.now(), collector.system.getpid()
registry = vars(sys)[collector._REGISTRY] = {}
def running(age=0.0, kind="kind"):
    return collector._Running([pid, now - age, kind, False, None, None, (now + 1000, None, True)])
def item_of(key, kind="kind"):
    return collector.Item(("repr", key), kind, lambda: called.append(key), now + 1000)

young, old = item_of(1), item_of(2)
young.running, old.running = running(), running(age=1)
for each in (young, old):
    each.look(now)
found["looks"] = [[each.status, each.why] for each in (young, old)]

entry = registry["repr", "same"] = running()
same = item_of("same")
collector._Batch([same])._call(same, None)
found["same"] = [called[:], same.running is entry]

left_behind = collector._Batch([item_of("left behind")])
left_behind._given_up = True
left_behind()
found["left behind"] = called[:]

registry.update({("repr", n): running(1, str(n)) for n in range(collector._LEFT_BEHIND)})
many = item_of("many", "another kind")
collector.call_all([many])
found["many"] = [called[:], many.status, many.why]
registry.clear()

sleep, collector.system.sleep = collector.system.sleep, None
waits = item_of("waits")
waits.running = running()
waits.running[collector._Running.BEGAN] = now + 1000
collector._finish(waits)
collector.system.sleep = sleep
found["waits"] = waits.status

def fail():
    raise ValueError
found["failed"] = collector._run_aside(fail, iter([20, -1]).__next__)
collector._enter(("repr", "last"), running())
collector._remove(("repr", "last"))
found["registry"] = collector._REGISTRY in vars(sys)
print(json.dumps(found))
"""


def test_calls_of_other_clients_are_respected() -> None:
    assert run_python(LOAD + CALLS, COLLECTOR) == {
        "looks": [[None, ""], ["stuck", "has not returned yet"]],
        "same": [[], True],
        "left behind": [],
        "many": [[], "skipped", "32 calls are blocked"],
        "waits": "skipped",
        "failed": True,
        "registry": False,
    }


#: Tasks with callbacks, managers and locks that are not what they look like.
TASKS = """
import asyncio, concurrent.futures, contextlib, os
collector._AWAITS_MAX = 2
tasks, locks = {}, {}
def make(coroutine, name):
    tasks[name] = asyncio.create_task(coroutine, name=name)
async def never():
    await asyncio.get_running_loop().create_future()
async def wait_for(future):
    await future
async def hold(lock, condition=None):
    async with lock:
        if condition is None:
            await never()
        async with condition:
            await condition.wait()
class Timed:
    def __init__(self, is_cancelled):
        self.timer = asyncio.get_running_loop().call_later(1000, print)
        if is_cancelled:
            self.timer.cancel()
    async def __aenter__(self): pass
    async def __aexit__(self, *error): pass
async def entered(manager):
    async with manager:
        await never()
async def stacked():
    with contextlib.ExitStack() as stack:
        stack.push(stack)
        await never()
async def chain(length):
    await (chain(length - 1) if length else never())
def looks_like_asyncio(future, inner):
    def _outer_done_callback(_):
        return inner
    future.add_done_callback(_outer_done_callback)
def deep(depth, call):
    return deep(depth - 1, call) if depth else call()
def locks_of(base):
    async def enter(self, *error): pass
    def changed(name):
        return type("Changed", (base,), {name: enter})()
    return [base(), *map(changed, ("__aenter__", "__aexit__", "acquire", "release"))]

def told(answer):
    return {each[1]: each for each in answer[19] if each[1] in tasks}

async def main():
    loop = asyncio.get_running_loop()
    known = collector.Asyncio()
    found["plain"] = [known.is_plain_lock(each) for each in locks_of(asyncio.Lock)]
    future, inner, gathered = (loop.create_future() for _ in range(3))
    looks_like_asyncio(future, inner)
    loop_of_futures = asyncio.gather(future, inner)
    loop_of_futures._children.insert(0, loop_of_futures)
    for name in ("twice", "free", "certain"):
        locks[name] = asyncio.Lock()
    make(asyncio.sleep(0), "done")
    make(never(), "9" * 5000)
    make(wait_for(future), "awaits")
    make(wait_for(loop_of_futures), "loop")
    make(wait_for(asyncio.gather(*(loop.create_future() for _ in range(3)))), "many")
    make(entered(Timed(True)), "cancelled")
    make(entered(Timed(False)), "timed")
    make(stacked(), "stacked")
    make(chain(300), "chain")
    make(chain(300), "other chain")
    make(hold(locks["twice"]), "first")
    make(hold(locks["free"]), "released")
    make(hold(locks["certain"], asyncio.Condition()), "certain")
    for _ in range(3):
        await asyncio.sleep(0)
    locks["twice"].release()
    locks["free"].release()
    make(hold(locks["twice"]), "second")
    for _ in range(3):
        await asyncio.sleep(0)

    of_program = concurrent.futures.Future()
    loop.call_soon(closure(of_program))
    answer = deep(250, lambda: collector.collect(16, own_thread=True))
    facts, objects = told(answer), {each[0]: each for each in answer[20]}
    found["missing"] = answer[14]
    found["tasks"] = sorted(set(tasks) - set(facts))
    found["awaits"] = facts["awaits"][5][0] == f"obj:{id(future):#x}"
    found["many"] = [len(facts["many"][4]), facts["loop"][0] is not None]
    found["timed"] = [facts[each][5][5] for each in ("cancelled", "timed")]
    found["frames"] = len(facts["chain"][6])
    found["certainty"] = [each[2] for each in facts["certain"][8]]
    found["locks"] = {
        name: [len(objects[f"obj:{id(lock):#x}"][4]), objects[f"obj:{id(lock):#x}"][5]]
        for name, lock in locks.items()
    }
    found["of program"] = f"obj:{id(of_program):#x}" in objects
    (running,) = [each for each in answer[19] if each[3] == "running"]
    found["running"] = len(running[6])

    # A loop that does not show its thread: uvloop.
    frame, ident = sys._getframe(), threading.get_ident()
    def threads_of(loops, idents):
        made = collector.Tasks(lambda: dict.fromkeys(idents, frame), None)
        made._loops = {id(each): each for each in loops}
        return [each == ident for each in made._threads_of_loops().values()]
    found["loops"] = [
        threads_of([object()], [ident]), threads_of([loop, object()], [ident]),
        threads_of([object()], [ident, 5]), threads_of([object(), object()], [ident]),
    ]

    # A task that runs while tasks are read.
    complete = collector.Tasks._complete
    def complete_and_run(self, facts):
        complete(self, facts)
        if facts.name in ("certain", "many"):
            facts.waiter = object()
    collector.Tasks._complete = complete_and_run
    moved = told(collector.collect(16))
    found["moved"] = [moved[each][4:6] + moved[each][8:] for each in ("certain", "many")]
    print(json.dumps(found), flush=True)
    os._exit(0)

def closure(future):
    return lambda: future
asyncio.run(main())
"""


def test_tasks_that_look_like_something_else() -> None:
    limit = "only the first 200 of a task were read"
    assert run_python(LOAD + TASKS, COLLECTOR) == {
        "plain": [True, False, False, False, False],
        "missing": [["coroutines", limit]],
        "tasks": ["done"],
        "awaits": True,
        "many": [2, True],
        "timed": [False, True],
        "frames": 200,
        "certainty": ["seen"],
        "locks": {"twice": [2, "not-known"], "free": [0, "free"], "certain": [1, "known"]},
        "of program": False,
        "running": 201,
        "loops": [[True], [True, False], [False], [False, False]],
        "moved": [[[], None, []]] * 2,
    }


#: Greenlets that hold locks. Two of them run after they were read. why() prepares the extension,
#: which reads `with` blocks.
GREENLETS = """
import json, threading
import greenlet, pystuck
from pystuck import _stacks as collector
pystuck.why()
found, main, lock_of = {}, greenlet.getcurrent(), {}
for name in ("free", "guess", "twice", "moved", "left"):
    lock_of[name] = threading.Lock()
def hold(lock):
    with lock:
        main.switch()
        while True:
            main.switch()
def leave(lock):
    with lock:
        main.switch()
    main.switch()
def guess(lock):
    with lock:
        lock.release()
        main.switch()
class Class(greenlet.greenlet):
    pass
greenlet.greenlet, base = Class, greenlet.greenlet
made = []
def start(function, name):
    made.append(base(function))
    made[-1].switch(lock_of[name])
    return f"greenlet:{id(made[-1]):#x}"
free, guessed, first = start(hold, "free"), start(guess, "guess"), start(hold, "twice")
lock_of["free"].release()
lock_of["twice"].release()
certain, second = start(hold, "guess"), start(hold, "twice")
moved, left = start(hold, "moved"), start(leave, "left")

def told():
    answer = collector.collect(8)
    greenlets = {each[0]: each for each in answer[18]}
    return greenlets, {each[0]: each for each in answer[20]}
def holds(ident):
    return [each[2] for each in greenlets[ident][9]]
greenlets, objects = told()
found["holds"] = list(map(holds, (free, guessed, certain, first, second, moved, left)))
found["locks"] = {}
for name, lock in lock_of.items():
    of_lock = objects.get(f"obj:{id(lock):#x}")
    found["locks"][name] = of_lock and [len(of_lock[4]), of_lock[5]]

read = collector.Greenlets._read_frames
def read_and_run(self, waits):
    read(self, waits)
    for each in made[-2:]:
        each.switch()
collector.Greenlets._read_frames = read_and_run
greenlets, objects = told()
found["moved"] = list(map(holds, (certain, moved, left)))
print(json.dumps(found))
"""


def test_the_locks_of_greenlets() -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GREENLET')}"
    assert run_python(GREENLETS, PYTHONPATH=path) == {
        "holds": [[], [], ["seen"], ["seen"], ["seen"], ["seen"], ["seen"]],
        "locks": {
            "free": None,
            "guess": [1, "known"],
            "twice": [2, "not-known"],
            "moved": [1, "known"],
            "left": [1, "known"],
        },
        "moved": [["seen"], [], []],
    }
