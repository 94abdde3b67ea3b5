"""Collects the tasks of trio: the tasks of nurseries, what each waits for, and who holds locks.

Tasks are read from the Runner of each thread that runs trio. trio keeps the Runner in a
threading.local; gc.get_referents() finds the dicts of the threading.local. The lines in which a
task waits, and the object for which it waits, are found through the coroutines of the task.

No code of the program runs. A part of the collector: see _stacks.
"""

import collections
import gc
import math
import types

from ._asyncio_fields import Asyncio, CellType
from ._without_code import (
    as_str,
    attempt,
    bases_of,
    field,
    is_of,
    lookup,
    methods_of,
    module_name,
    names_of,
    names_of_code,
    read_frames,
    sendable,
    type_name,
)

_TRIO_TASKS_MAX = 5000  #: the most tasks of trio that are collected

#: The methods in which a task waits: (module, class, methods, kind of the wait).
_TRIO_METHODS = (
    ("trio._sync", "_LockImpl", "acquire", "lock"),
    ("trio._sync", "Condition", "wait", "condition"),
    ("trio._sync", "Semaphore", "acquire", "semaphore"),
    ("trio._sync", "CapacityLimiter", "acquire acquire_on_behalf_of", "semaphore"),
    ("trio._sync", "Event", "wait", "event"),
    ("trio._channel", "MemorySendChannel", "send", "queue-put"),
    ("trio._channel", "MemoryReceiveChannel", "receive", "queue-get"),
    ("trio._core._run", "Nursery", "_nested_child_finished", "nursery"),
    ("trio._core._io_epoll", "EpollIOManager", "_epoll_wait", "io"),
)
#: Functions in which a task waits for no object: (module, functions, kind of the wait).
_TRIO_FUNCTIONS = (
    ("trio._timeouts", "sleep_forever sleep_until sleep", "sleep"),
    ("trio._threads", "to_thread_run_sync", "thread"),
)


def _code_behind(function):
    """Return the code object of a function that a decorator may have wrapped, or None."""
    for _ in range(5):
        if type(function) is not types.FunctionType:
            return None
        inner = dict.get(function.__dict__, "__wrapped__")
        if inner is None:
            return function.__code__
        function = inner
    return None


def _dicts_of_local(local):
    """Yield the dicts in which a threading.local has the attributes of each thread."""
    for each in gc.get_referents(local):
        if is_of(each, dict):
            yield each
            yield from [inner for inner in list(each.values()) if is_of(inner, dict)]


def _order(task):
    """Return a key that sorts tasks by their age."""
    counter = field(task, "_counter")
    return counter if type(counter) is int else 0, id(task)


class _TrioFacts:
    """A task of trio, and what is known about it."""

    def __init__(self, task, runner):
        self.task, self.runner = task, runner
        self.calls, self.awaits, self.wait, self.state = [], [], None, "waiting"
        self.entered = []  # (manager, frame number, file, line) of the `with` blocks it is in
        self.step = field(task, "_schedule_points")


class TrioTasks:
    """Collects the tasks of trio of all threads, and the objects that they wait for."""

    def __init__(self, frames, want):
        """frames, want: as in Tasks, the class in _asyncio_tasks."""
        self._frames, self._want, self._asyncio = frames, want, Asyncio()
        self._rules, self._objects = {}, {}
        self._runners = {}  # {id: (runner, ident of its thread or None)}
        self.facts, self.missing = [], []

    def collect(self):
        local = names_of("trio._core._run").get("GLOBAL_RUN_CONTEXT")
        if local is None:
            return
        self._find_rules()
        self._find_runners(local)
        count = 0
        for runner, _ in self._runners.values():
            tasks, queue = field(runner, "tasks"), field(runner, "runq")
            ready = {id(each) for each in list(queue)} if is_of(queue, collections.deque) else ()
            tasks = list(tasks) if is_of(tasks, set) else []
            tasks = [each for each in tasks if self._is_shown(each, runner)]
            count += len(tasks)
            for each in tasks[: _TRIO_TASKS_MAX - len(self.facts)]:
                self.facts.append(self._facts_of(each, runner, id(each) in ready))
        if len(self.facts) < count:
            why = f"there are {count}, but only {len(self.facts)} were read"
            self.missing.append(("tasks of trio", why))
        self.facts.sort(key=lambda each: _order(each.task))
        for each in self.facts:  # what has run since it was read
            if field(each.task, "_schedule_points") is not each.step:
                each.wait, each.awaits = None, []

    @staticmethod
    def _is_shown(task, runner):
        """False for the tasks of trio itself.

        These are the init task, and all tasks in nurseries of the init task but the main task.
        """
        init, parent = field(runner, "init_task"), field(task, "_parent_nursery")
        if task is init or task is field(runner, "main_task"):
            return task is not init
        return field(parent, "_parent_task") is not init

    def _find_rules(self):
        for function, kind, cls in methods_of(_TRIO_METHODS):
            code = _code_behind(function)
            if code is not None:
                self._rules[id(code)] = kind, cls
        for module, functions, kind in _TRIO_FUNCTIONS:
            for each in functions.split():
                code = _code_behind(names_of(module).get(each))
                if code is not None:
                    self._rules[id(code)] = kind, None

    # -- Runners --

    def _find_runners(self, local):
        for each in _dicts_of_local(local):
            runner = each.get("runner")
            if runner is not None and type_name(type(runner)) == "trio._core._run.Runner":
                self._runners[id(runner)] = runner, None
        # A thread that runs trio is in unrolled_run(), whose first argument is the Runner, or in
        # get_events(), whose first argument is the Runner's io_manager.
        manager = names_of("trio._core._io_epoll").get("EpollIOManager")
        codes = [_code_behind(names_of("trio._core._run").get("unrolled_run"))]
        if issubclass(type(manager), type):
            codes.append(_code_behind(lookup(manager, "get_events")))
        found = [(ident, self._frame_with(codes, each)) for ident, each in self._frames().items()]
        found = [(ident, frame) for ident, frame in found if frame is not None]
        objects = read_frames([frame for _, frame in found])
        for (ident, _), each in zip(found, objects):
            for runner, _ in list(self._runners.values()):
                owned = runner, field(runner, "io_manager")
                if each is not None and each[0] and any(each[0][0] is own for own in owned):
                    self._runners[id(runner)] = runner, ident
        if objects == [None] and len(self._runners) == 1:
            self._runners = {key: (each[0], found[0][0]) for key, each in self._runners.items()}

    @staticmethod
    def _frame_with(codes, frame):
        while frame is not None and not any(frame.f_code is each for each in codes):
            frame = frame.f_back
        return frame

    # -- One task --

    def _facts_of(self, task, runner, is_ready):
        facts, known = _TrioFacts(task, runner), self._asyncio
        coroutine = field(task, "coro")
        chain = known.chain_of(coroutine)
        if type(coroutine) is types.CoroutineType and coroutine.cr_running:
            facts.state = "running"
        elif is_ready:
            facts.state = "ready"
        for _, frame in chain:
            code, number = frame.f_code, frame.f_lineno
            file, *names = names_of_code(code)
            facts.calls.append((file, number, *names))
            self._want(code, (number,), frame.f_globals)
        if facts.state == "waiting":
            self._set_wait(facts, chain)
            for number, (coroutine, frame) in enumerate(chain):
                self._add_entered(facts, number, coroutine, frame)
        return facts

    def _add_entered(self, facts, number, coroutine, frame):
        """Add the managers whose `with` blocks a coroutine has entered.

        Adds nothing if it is not known in which lines these `with` blocks begin.
        """
        code = self._asyncio.facts_of(frame.f_code)
        lines = [line for offset, line in code.entries if offset <= frame.f_lasti]
        if not lines:
            return
        managers = self._asyncio.managers(self._asyncio.referents(coroutine, frame))
        if len(set(lines)) == 1:
            lines = lines[:1] * len(managers)
        if len(lines) == len(managers):
            file = code.call[0]
            facts.entered += [(each, number, file, line) for each, line in zip(managers, lines)]

    def _set_wait(self, facts, chain):
        where = len(chain) - 1
        while where > 0 and self._is_of_trio(chain[where][1]):
            where -= 1
        timed = self._has_deadline(facts.task)
        for coroutine, frame in chain[where + 1 :]:
            rule, cls = self._rules.get(id(frame.f_code), (None, None))
            if rule is None:
                continue
            things = self._asyncio.referents(coroutine, frame)
            things = [self._content(each) for each in things]
            things = [each for each in things if any(base is cls for base in bases_of(type(each)))]
            if rule == "nursery":
                self._set_children(facts, things, where, timed)
            elif things and rule != "io":
                self._objects[id(things[0])] = things[0], rule.partition("-")[0]
                facts.wait = f"obj:{id(things[0]):#x}", rule, where, timed
            else:
                facts.wait = None, rule, where, timed or rule == "sleep"
            return

    @staticmethod
    def _content(thing):
        """Return the content of a cell. If `thing` is no cell, return `thing` itself."""
        return attempt(lambda: thing.cell_contents) if type(thing) is CellType else thing

    def _set_children(self, facts, nurseries, where, timed):
        children = field(nurseries[0], "_children") if nurseries else None
        children = list(children) if is_of(children, set) else []
        children.sort(key=_order)
        facts.awaits = [f"task:{id(each):#x}" for each in children]
        target = facts.awaits[0] if len(facts.awaits) == 1 else None
        facts.wait = target, "task", where, timed

    @staticmethod
    def _is_of_trio(frame):
        return module_name(frame.f_globals).partition(".")[0] == "trio"

    @staticmethod
    def _has_deadline(task):
        """True if a cancel scope around the task ends its wait after some time."""
        status = field(task, "_cancel_status")
        for _ in range(200):
            if status is None:
                return False
            deadline = field(field(status, "_scope"), "_deadline")
            if type(deadline) is float and deadline != math.inf:
                return True
            status = field(status, "_parent")
        return True

    # -- The answer --

    def _holders_of(self, thing, kind):
        """Return (holders, holder_status, permits) of an object."""
        if kind == "lock":
            owner = field(thing, "_owner")
            return ([], "free", None) if owner is None else ([owner], "known", None)
        borrowers, total = field(thing, "_borrowers"), field(thing, "_total_tokens")
        if kind != "semaphore" or not is_of(borrowers, set):
            return [], "not-known" if kind == "semaphore" else None, None
        borrowers = list(borrowers)
        if any(field(each, "coro") is None for each in borrowers):
            return [], "not-known", None
        permits = str(total) if type(total) is int else None
        return sorted(borrowers, key=id), "known", permits

    def _holds(self):
        """Return {id of a task: list of the objects that it holds}."""
        found = {}
        for thing, kind in self._objects.values():
            for each in self._holders_of(thing, kind)[0]:
                found.setdefault(id(each), []).append(thing)
        return found

    @staticmethod
    def _trio_hold(facts, thing):
        lines = [each[1:] for each in facts.entered if each[0] is thing]
        since = (lines[0][0], sendable(lines[0][1]), lines[0][2]) if lines else None
        return f"obj:{id(thing):#x}", since, "known", "owner"

    def tasks(self):
        """Return [(calls, task without its frames)]."""
        found, holds = [], self._holds()
        for each in self.facts:
            held = holds.get(id(each.task), ())
            wait, name = each.wait, field(each.task, "name")
            known = wait and (wait[0], wait[1], None, "known", wait[2], wait[3])
            task = (
                f"task:{id(each.task):#x}",
                sendable(as_str(name)) if issubclass(type(name), str) else None,
                f"loop:{id(each.runner):#x}",
                each.state,
                tuple(each.awaits),
                known,
                None,  # frames
                None,  # notes
                tuple([self._trio_hold(each, thing) for thing in held]),
            )
            found.append((each.calls, task))
        return found

    def objects(self):
        """Return the objects that tasks wait for, and the Runners, as tuples."""
        found = []
        for thing, kind in self._objects.values():
            holders, status, permits = self._holders_of(thing, kind)
            holders = tuple([f"task:{id(each):#x}" for each in holders])
            detail = () if permits is None else (("permits", permits),)
            name = f"obj:{id(thing):#x}"
            found.append((name, kind, type_name(type(thing)), None, holders, status, detail))
        for runner, ident in self._runners.values():
            holders = () if ident is None else (f"thread:{ident}",)
            status = "known" if holders else "not-known"
            name = f"loop:{id(runner):#x}"
            found.append((name, "loop", type_name(type(runner)), None, holders, status, ()))
        return tuple(found)
