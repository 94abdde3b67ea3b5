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
    __eq__, __hash__ = spy("Text.__eq__", True), str.__hash__
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
