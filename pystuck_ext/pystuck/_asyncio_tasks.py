"""Collects the tasks of asyncio, what they wait for, and which locks they hold.

A part of the collector: see _stacks.
"""

import _thread
import gc
import re
import types

from ._asyncio_fields import CHAIN_MAX, Asyncio
from ._without_code import (
    field,
    is_built_in,
    is_of,
    lookup,
    module_name,
    sendable,
    system,
    type_name,
)

_TASKS_MAX = 5000  #: the most tasks that are collected
_TASKS_SORTED = 20  #: at most _TASKS_SORTED * _TASKS_MAX tasks are sorted; _TASKS_MAX are kept
_TASKS_SECONDS = 2  #: the time limit for collecting tasks, which takes long on a busy machine


def _natural(name):
    """Return a key that sorts Task-2 before Task-10."""
    parts = re.split("([0-9]{1,18})", name)  # each second one is a number
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _is_in_asyncio_run(frame):
    """True if `frame` or one of its callers is in the module asyncio.runners, such as run()."""
    while frame is not None:
        if module_name(frame.f_globals) == "asyncio.runners":
            return True
        frame = frame.f_back
    return False


class _TaskFacts:
    """A task, and what is known about it."""

    def __init__(self, task, name):
        self.task, self.name = task, name
        self.waiter = self.loop = self.state = None
        self.calls = []  # (file, line, function, qualified name)
        self.awaits, self.wait = [], None
        self.claims = []  # (manager, frame number, file, line, certainty)

    def ident(self):
        return f"task:{id(self.task):#x}"


class Tasks:
    """Collects the tasks of all loops of all threads, and the objects that they wait for."""

    def __init__(self, frames, want):
        """frames: a function that returns the innermost frames of threads, by ident.

        want: a function that asks for source lines. Its arguments: code object, line numbers,
        globals.
        """
        self._frames, self._want = frames, want
        self._asyncio = Asyncio()
        self._objects = {}  # {id: (object, kind)}
        self._loops, self._completions, self._results = {}, {}, []
        self._claims = {}  # {id of a lock: [(facts, hold)]}
        self.facts, self.missing = [], []

    def collect(self):
        now = system.now()
        deadline = now + _TASKS_SECONDS
        tasks = self._asyncio.all_tasks()
        named = self._named(tasks, now + _TASKS_SECONDS / 2)
        named.sort(key=lambda each: each[:1] + each[2:3])
        for _, name, _, task in named[:_TASKS_MAX]:
            if system.now() > deadline:
                break
            self.facts.append(self._facts_of(task, name))
        if len(self.facts) < len(tasks):
            self.missing.append(
                ("tasks", f"there are {len(tasks)}, but only {len(self.facts)} were read")
            )
        for each in self.facts:
            self._complete(each)
        self._drop_moved()
        self._drop_released()

    def _named(self, tasks, deadline):
        """Return a list of (sort key, name, id, task). If there are many tasks, leaves some out."""
        found = []
        for each in tasks[: _TASKS_SORTED * _TASKS_MAX]:
            if len(found) >= _TASKS_MAX and system.now() > deadline:
                break
            name = self._asyncio.name(each)
            found.append((_natural(name), name, id(each), each))
        return found

    # -- One task --

    def _facts_of(self, task, name):
        known = self._asyncio
        facts = _TaskFacts(task, name)
        facts.waiter = known.read(task, "_fut_waiter")
        facts.loop = known.read(task, "_loop")
        chain = known.chain(task)
        if len(chain) >= CHAIN_MAX:
            note = "coroutines", f"only the first {CHAIN_MAX} of a task were read"
            if note not in self.missing:
                self.missing.append(note)
        if facts.loop is not None:
            self._loops[id(facts.loop)] = facts.loop
        facts.state = self._state_of(facts, chain)
        self._add_calls(facts, [frame for _, frame in chain])
        if facts.state == "running":
            self._add_running(facts, chain)
        elif chain:
            self._read_coroutines(facts, chain)
        for queue, todo in known.completions(task):
            self._completions[id(queue)] = queue, todo
        self._results += [(each, facts.ident()) for each in known.destinations(task)]
        return facts

    def _state_of(self, facts, chain):
        if chain:
            outer = chain[0][0]
            kind = type(outer)
            is_running = (kind is types.CoroutineType and outer.cr_running) or (
                kind is types.GeneratorType and outer.gi_running
            )
            if is_running:
                return "running"
        return "ready" if facts.waiter is None else "waiting"

    def _add_calls(self, facts, frames):
        for frame in frames:
            code, number = frame.f_code, frame.f_lineno
            file, function, qualname = self._asyncio.facts_of(code).call
            facts.calls.append((file, number, function, qualname))
            self._want(code, (number,), frame.f_globals)

    def _add_running(self, facts, chain):
        """Set the calls of a running task: its outermost coroutine and the frames called by it."""
        outer = chain[0][1]
        for frame in self._frames().values():
            called = []
            while frame is not None and frame is not outer:
                called.append(frame)
                frame = frame.f_back
            if frame is outer:
                facts.calls = []
                self._add_calls(facts, [outer, *called[::-1][:CHAIN_MAX]])
                return

    def _read_coroutines(self, facts, chain):
        """Find what a suspended task waits for and what it holds."""
        known, rule, at, where, timed = self._asyncio, None, None, 0, False
        for i, (coroutine, frame) in enumerate(chain):
            code = known.facts_of(frame.f_code)
            name, kind = code.rule
            if name is None and not code.entries:
                continue
            referents = known.referents(coroutine, frame)
            if code.entries:
                timed = self._read_managers(facts, chain, i, code, referents) or timed
            if name is None:
                continue
            timed = timed or known.first(referents, "timer") is not None
            if name == "condition":  # wait() has released its lock
                self._release(facts, field(known.first(referents, kind), "_lock"))
            if rule is None or (rule == "condition" and name == "lock"):
                rule, where = name, max(i - 1, 0)
                at = known.first(referents, kind) if kind else referents
                while where > 0 and known.facts_of(chain[where][1].f_code).call[1] == "__aenter__":
                    where -= 1
        if facts.waiter is not None:
            facts.wait = rule, at, where, timed

    def _read_managers(self, facts, chain, i, code, referents):
        """Add the locks whose `with` blocks a coroutine has entered.

        Returns True if the manager of one of the blocks has a timer, as asyncio.timeout() has.
        """
        known, timed = self._asyncio, False
        managers = known.managers(referents)
        lasti = chain[i][1].f_lasti
        passed = [line for offset, line in code.entries if offset <= lasti]
        lines = passed if len(passed) == len(managers) else [None] * len(managers)
        if len(set(passed)) == 1:
            lines = passed[:1] * len(managers)
        if i + 1 < len(chain) and known.facts_of(chain[i + 1][1].f_code).call[1] == "__aenter__":
            managers = managers[:-1]  # this block has not been entered yet
        # Not only this coroutine, but also the coroutines that it awaits may have released the
        # locks.
        is_doubtful = any(known.may_release(frame) for _, frame in chain[i:])
        for manager, line in zip(managers, lines):
            for each, may_release in known.inner_managers(manager, is_doubtful):
                kind = known.kind(each)
                if kind == "condition":
                    each = field(each, "_lock")
                    kind = known.kind(each)
                is_lock = kind == "lock" and known.is_plain_lock(each)
                if is_lock or kind == "semaphore" or type(each) is _thread.LockType:
                    file = code.call[0]
                    certainty = "likely" if may_release else "seen"
                    facts.claims.append((each, i, file, line, certainty))
                elif kind is None and self._has_timer(each):
                    timed = True
        return timed

    def _has_timer(self, manager):
        """True if a manager refers to a timer that is running."""
        if is_built_in(type(manager)):
            return False
        referents = gc.get_referents(manager)
        own = [each for each in referents if type(each) is dict]
        for each in referents + [value for names in own for value in list(names.values())]:
            if self._asyncio.kind(each) == "timer" and field(each, "_cancelled") is not True:
                return True
        return False

    @staticmethod
    def _release(facts, lock):
        facts.claims = [each for each in facts.claims if each[0] is not lock]

    # -- What tasks wait for --

    def _complete(self, facts):
        """Find the tasks that a task awaits, after all tasks have been read."""
        if facts.wait is None:
            return
        known = self._asyncio
        rule, at, where, timed = facts.wait
        targets = None
        if rule == "wait":
            futures = [each for each in at if is_of(each, set, frozenset, list, tuple)]
            futures = [each for each in futures if known.awaited_of(each)]
            targets = known.awaited_of(futures[0]) if futures else []
        elif rule == "wait-for":
            futures = [each for each in at if known.is_future(each) and each is not facts.waiter]
            targets = known.awaited_of(futures) or known.awaited(facts.waiter)
        elif rule == "group" and at is not None:
            targets = known.awaited_of(field(at, "_tasks"))
        elif rule == "iterator" and at is not None:
            targets = known.awaited_of(field(at, "_todo"))
        elif rule == "completed" and id(at) in self._completions:
            targets = known.awaited_of(self._completions[id(at)][1])
        elif rule is None or at is None:
            targets, where = known.awaited(facts.waiter), len(facts.calls) - 1
        if rule == "sleep":
            facts.wait = None, "sleep", where, True
        elif targets:
            self._set_awaited(facts, targets, where, timed)
        elif targets is not None:
            facts.wait = None, "future", where, timed
        else:
            self._objects[id(at)] = at, rule
            facts.wait = f"obj:{id(at):#x}", rule, where, timed

    def _set_awaited(self, facts, targets, where, timed):
        known = self._asyncio
        tasks = [each for each in targets if known.is_task(each)]
        if len(targets) == 1 and not tasks:
            target = targets[0]
            self._objects[id(target)] = target, "future"
            facts.wait = f"obj:{id(target):#x}", "future", where, timed
            return
        if len(targets) > 1:  # many are in sets, which have no order
            targets = sorted(targets, key=self._order)
        # A future that is not a task gets the prefix "obj:", so that no task has the same id.
        facts.awaits = [
            f"task:{id(each):#x}" if known.is_task(each) else f"obj:{id(each):#x}"
            for each in targets
        ]
        facts.wait = (facts.awaits[0] if len(targets) == 1 else None), "task", where, timed

    def _order(self, future):
        is_task = self._asyncio.is_task(future)
        return not is_task, _natural(self._asyncio.name(future)) if is_task else [], id(future)

    def _drop_moved(self):
        """Forget the waits and claims of each task that has run since the task was read."""
        for facts in self.facts:
            if self._asyncio.read(facts.task, "_fut_waiter") is not facts.waiter:
                facts.wait, facts.awaits, facts.claims = None, [], []
            for claim in facts.claims:
                self._claims.setdefault(id(claim[0]), []).append((facts, claim))
                kind = self._asyncio.kind(claim[0]) or "lock"
                self._objects.setdefault(id(claim[0]), (claim[0], kind))

    def _drop_released(self):
        """Drop the guesses that tasks hold a lock if another task certainly holds the lock."""
        for claims in self._claims.values():
            lock = claims[0][1][0]
            seen = [each for each in claims if each[1][4] == "seen"]
            if not seen or self._asyncio.kind(lock) == "semaphore":
                continue
            for facts, claim in claims:
                if claim[4] != "seen":
                    facts.claims = [each for each in facts.claims if each is not claim]
            claims[:] = seen

    # -- Loops --

    def _thread_of(self, loop):
        """Return the ident of the thread that runs a loop, or None."""
        ident = field(loop, "_thread_id")
        return ident if type(ident) is int else None

    def _threads_of_loops(self):
        """Return the idents of the threads that run loops, by the ids of the loops."""
        found = {key: self._thread_of(loop) for key, loop in self._loops.items()}
        # A loop that is not written in Python has no _run_once, and does not show its thread. If
        # there is only one such loop, and only one thread that is in asyncio.run() and runs none of
        # the other loops, then this thread runs this loop.
        unknown = [
            key for key, loop in self._loops.items() if lookup(type(loop), "_run_once") is None
        ]
        if len(unknown) == 1:
            running = [
                ident for ident, frame in self._frames().items() if _is_in_asyncio_run(frame)
            ]
            running = [ident for ident in running if ident not in found.values()]
            if len(running) == 1:
                found[unknown[0]] = running[0]
        return found

    # -- The answer --

    @staticmethod
    def task_tuple(facts):
        """Return a task as a tuple, without its frames."""
        wait = facts.wait
        return (
            facts.ident(),
            sendable(facts.name),
            None if facts.loop is None else f"loop:{id(facts.loop):#x}",
            facts.state,
            tuple(facts.awaits),
            wait and (wait[0], wait[1], None, "known", wait[2], wait[3]),
            None,  # frames
            None,  # notes
            tuple(
                [
                    (
                        f"obj:{id(lock):#x}",
                        (number, sendable(file), line) if line is not None else None,
                        certainty,
                        "with",
                    )
                    for lock, number, file, line, certainty in facts.claims
                ]
            ),
        )

    def objects(self):
        """Return the objects that tasks wait for or hold, and the loops, as tuples."""
        found = [self._object_tuple(*each) for each in self._objects.values()]
        threads = self._threads_of_loops()
        for key, loop in self._loops.items():
            if threads[key] is not None:
                runner = f"thread:{threads[key]}"
                self._results += [(each, runner) for each in self._asyncio.requested(loop)]
        for future, holder in self._results:
            name = f"obj:{id(future):#x}"
            kind = type_name(type(future))
            found.append((name, "future", kind, None, (holder,), "known", ()))
        for key, loop in self._loops.items():
            holders = () if threads[key] is None else (f"thread:{threads[key]}",)
            status = "known" if holders else "not-known"
            name = f"loop:{key:#x}"
            found.append((name, "loop", type_name(type(loop)), None, holders, status, ()))
        return tuple(found)

    def _object_tuple(self, thing, rule):
        claims = self._claims.get(id(thing), [])
        holders = {facts.ident(): None for facts, _ in claims}
        is_seen = any(claim[4] == "seen" for _, claim in claims)
        kind = rule.partition("-")[0]
        is_locked = self._is_locked(thing)
        if is_locked is False:
            holders, status = {}, "free"
        elif is_seen and ((kind == "lock" and len(holders) == 1) or kind == "semaphore"):
            status = "known"
        else:
            status = "not-known" if kind in ("lock", "semaphore") else None
        detail = ()
        if self._asyncio.kind(thing) == "concurrent":
            state = field(thing, "_state")
            detail = (("state", state),) if type(state) is str else ()
        name = f"obj:{id(thing):#x}"
        return (name, kind, type_name(type(thing)), None, tuple(holders), status, detail)

    def _is_locked(self, thing):
        """Return whether a lock is locked; None if the object is not a lock."""
        if type(thing) is _thread.LockType:
            return thing.locked()
        if self._asyncio.kind(thing) == "lock":
            return field(thing, "_locked") is True
        return None
