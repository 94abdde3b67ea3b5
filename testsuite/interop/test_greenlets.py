# SPDX-License-Identifier: BSD-3-Clause
"""Greenlets: their names, what they wait for, and which locks they hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import (
    Running,
    build_setting,
    debuggee_environment,
    pystuck,
    python,
    run_python,
    wait_until,
)

PROGRAM = Path(__file__).parent / "programs" / "gevent_waits.py"

needs_gevent = pytest.mark.skipif(
    "PYSTUCK_GEVENT" not in os.environ, reason="no gevent for this Python, or no PYSTUCK_SLOW=1"
)

#: A thread waits for a Lock that a suspended greenlet holds. Another greenlet has released a Lock
#: inside its `with`; a third one is only suspended. Counts what code of the classes runs.
PLAIN = """
import json, threading, types
import greenlet, pystuck

class Named(greenlet.greenlet):
    name = "keeper"
    def __getattribute__(self, name):
        called.append(name)
        return super().__getattribute__(name)
    def __bool__(self):
        called.append("bool")
    def __eq__(self, other):
        called.append("eq")
    __hash__ = None

class Name:
    def __bool__(self):
        called.append("Name.__bool__")
        raise RuntimeError

class Names(dict):
    def get(self, *arguments):
        called.append("Names.get")
        return dict.get(self, *arguments)

class Text(str):
    def __eq__(self, other):
        called.append("Text.__eq__")
        return str.__eq__(self, other)
    def __hash__(self):
        called.append("Text.__hash__")
        return str.__hash__(self)
    def __format__(self, spec):
        called.append("Text.__format__")
        return str.__format__(self, spec)
    def __len__(self):
        called.append("Text.__len__")
        return str.__len__(self)

def keep(lock):
    with first, lock:
        main.switch()

def release():
    with second:
        second.release()
        main.switch()
        second.acquire()

def idle():
    main.switch()

def wait():
    with first:
        pass

called, main = [], greenlet.getcurrent()
first, second = threading.Lock(), threading.Lock()
keeper, releaser = Named(keep), greenlet.greenlet(release)
releaser.name = Name()
code = idle.__code__.replace(co_name=Text("idle"), co_filename=Text("<idle>"))
idle = types.FunctionType(code, Names(globals()))
idler = greenlet.greenlet(idle, releaser)
keeper.switch(threading.Lock())
for each in (releaser, idler):
    each.switch()
second.acquire()
thread = threading.Thread(target=wait, name="waiter", daemon=True)
thread.start()
del called[:]
while True:
    report = pystuck.why()
    if report["threads"][1]["waits"]:
        break
report["called"] = [each for each in called if each != "__repr__"]
report["ids"] = [f"greenlet:{id(each):#x}" for each in (keeper, releaser, idler, main)]
print(json.dumps(report))
"""


def test_a_suspended_greenlet_holds_locks() -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GREENLET')}"
    report = run_python(PLAIN, PYTHONPATH=path)
    found = {each["id"]: each for each in report["greenlets"]}
    keeper, releaser, idler = (found[each] for each in report["ids"][:3])
    assert keeper["name"] == "keeper"
    assert re.fullmatch(r"release at 0x[0-9a-f]+", releaser["name"])
    assert re.fullmatch(r"idle at 0x[0-9a-f]+", idler["name"])
    assert [keeper["parent"], idler["parent"]] == [report["ids"][3], releaser["id"]]
    assert [hold["certainty"] for hold in keeper["holds"]] == ["seen", "seen"]
    assert [hold["certainty"] for hold in releaser["holds"]] == ["likely"]
    assert idler["holds"] == []
    assert idler["notes"] == [
        f"waits until another greenlet switches to it; its parent is {releaser['name']}"
    ]
    (note, *_) = report["threads"][1]["notes"]
    assert re.match(r"waits for Lock first, apparently held by keeper since <string>:\d+", note)
    assert report["called"] == []


def test_the_functions_of_the_extension_check_their_arguments() -> None:
    code = """
import json, sys
import pystuck
from pystuck import _pystuck
class Thing:
    pass
things, found = [Thing() for _ in range(1000)], []
for call in (_pystuck.frame_objects, _pystuck.referents, _pystuck.instances):
    try:
        found.append(call(5))
    except TypeError as error:
        found.append(str(error))
pystuck.why()
found += [_pystuck.frame_objects([5, None]), _pystuck.referents([5, [6]])]
instances = _pystuck.instances([Thing, 5])
found.append(instances and sorted(map(id, instances)) == sorted(map(id, things)))
print(json.dumps(found))
"""
    is_new = run_python("import sys; print(sys.version_info[1])") >= 12
    assert run_python(code) == [
        "frames must be a list",
        "objects must be a list",
        "classes must be a list" if is_new else None,
        [None, None],
        [[], [6]],
        True if is_new else None,
    ]


#: Counts references to tasks, locks and suspended greenlets, and all objects, before and after.
UNCHANGED = """
import asyncio, gc, json, sys, threading
import greenlet, pystuck

lock, main_greenlet = threading.Lock(), greenlet.getcurrent()

def keep():
    with lock:
        main_greenlet.switch()

async def hold(lock, event):
    async with lock:
        await event.wait()

async def main():
    lock, event = asyncio.Lock(), asyncio.Event()
    things = [asyncio.create_task(hold(lock, event)) for _ in range(5)] + [lock, event]
    await asyncio.sleep(0)
    things += [things[0].get_coro(), things[0]._fut_waiter, globals()["lock"], keeper]

    def state():
        gc.collect()
        return len(gc.get_objects()), [sys.getrefcount(each) for each in things]

    counts = [len(pystuck.why()[each]) for each in ("tasks", "greenlets")]
    before = state()
    for _ in range(5):
        pystuck.why()
    after = state()
    print(json.dumps([counts, before, after]))

keeper = greenlet.greenlet(keep)
keeper.switch()
asyncio.run(main())
"""


def test_the_collector_keeps_no_references() -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GREENLET')}"
    counts, before, after = run_python(UNCHANGED, PYTHONPATH=path)
    assert counts == [6, 1]
    assert after[1] == before[1]
    assert after[0] - before[0] < 5


#: A greenlet with 1200 frames, of which 1100 are read. Then the collectors fail.
PARTS = """
import json, sys
import greenlet, pystuck
from pystuck import _greenlets, _pystuck, _stacks

def deep(depth):
    return deep(depth - 1) if depth else main_greenlet.switch()

def read(frames, read=_pystuck.frame_objects):
    sizes.append(len(frames))
    return read(frames)

def fail(*arguments):
    raise RuntimeError

def collect():
    answer = _stacks.collect(_stacks.GREENLETS | _stacks.TASKS, own_thread=True)
    tasks = None if answer[19] is None else len(answer[19])
    found.append([len(sizes), answer[14], len(answer[17]), len(answer[18]), tasks])

main_greenlet, sizes, found = greenlet.getcurrent(), [], []
_pystuck.frame_objects, _greenlets._FRAMES_MAX = read, 1100
sys.setrecursionlimit(5000)
suspended = greenlet.greenlet(deep)
suspended.switch(1199)
collect()
_stacks.Greenlets = _stacks.Tasks = _stacks.TrioTasks = fail
collect()
print(json.dumps([sizes, *found]))
"""


def test_frames_are_read_in_parts_and_a_failure_costs_no_threads() -> None:
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GREENLET')}"
    sizes, whole, failed = run_python(PARTS, PYTHONPATH=path)
    assert sizes == [500, 500, 100]
    why = "there are 1200 frames, but only 1100 were read"
    assert whole == [3, [["waits of greenlets", why]], 1, 1, 0]
    why = "collecting them failed: RuntimeError"
    parts = ("greenlets", "tasks", "tasks of trio")
    assert failed == [3, [[part, why] for part in parts], 1, 0, None]


# ---- gevent --------------------------------------------------------------------------------------

#: The note of each greenlet of PROGRAM, by its name.
NOTES = """\
holder: sleeps
wait_for_event: waits for Event event to be set
wait_for_slot: waits for BoundedSemaphore slots, apparently held by holder since LINE, which sleeps
wait_for_rlock: waits for RLock rlock, held by holder since LINE, which sleeps
wait_for_result: waits for the result of an AsyncResult; the wait has a timeout
get_item: waits for an item in Queue empty
put_item: waits for room in Queue full
join_items: waits until all items of Queue joinable are done
get_from_channel: waits for an item in Channel channel
join_one: waits for the end of greenlet wait_for_event, which waits for Event event to be set
join_some: waits for the end of greenlets holder, wait_for_event, wait_for_result and 2 others
wait_for_several: waits for AsyncResult and Event; the wait has a timeout
receive: waits for input or output on descriptor N
use_pool: waits for room in a Pool, occupied by sleep at N, which sleeps
join_pool: waits until all greenlets of a Pool have ended
never: waits until another greenlet switches to it
observe: waits until another greenlet switches to it
take_lock: waits for Lock lock, apparently held by holder since LINE, which sleeps
take_std_rlock: waits for RLock std_rlock, held by holder since LINE, which sleeps
wait_for_condition: waits for a notification of Condition condition
wait_for_std_event: waits for Event std_event to be set
get_std_item: waits for an item in Queue std_queue
wait_at_barrier: waits at Barrier barrier
join_thread: waits for the end of greenlet thread, which waits for Event event to be set
thread: waits for Event event to be set
"""


@pytest.fixture(scope="module")
def gevent_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in PROGRAM."""
    socket = tmp_path_factory.mktemp("gevent") / "socket"
    path = f"{build_setting('PYSTUCK_PYTHONPATH')}:{build_setting('PYSTUCK_GEVENT')}"
    environment = debuggee_environment(PYTHONPATH=path)
    running = Running([python(), str(PROGRAM), str(socket)], environment)
    try:
        wait_until(socket.exists, "the server to listen")
        yield f"unix:{socket}"
    finally:
        running.kill()


@needs_gevent
def test_each_wait_of_gevent_is_named(gevent_address: str) -> None:
    notes = ""

    def are_there() -> bool:
        nonlocal notes
        report = json.loads(pystuck("--json", gevent_address).stdout)
        found = {each["name"]: each["notes"] for each in report["greenlets"]}
        names = [line.partition(":")[0] for line in NOTES.splitlines()]
        lines = [f"{name}: {'; '.join(found.get(name, []))}" for name in names]
        notes = re.sub(r"0x[0-9a-f]+|(?<=descriptor )\d+", "N", "\n".join(lines) + "\n")
        notes = re.sub(r"gevent_waits.py:\d+", "LINE", notes)
        return notes == NOTES

    wait_until(are_there, "the notes", details=lambda: notes)
