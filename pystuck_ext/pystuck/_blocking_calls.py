"""Makes calls that may block, on a thread that can be left behind.

Such a call is a __repr__ of the program, the loader of a module, or reading a source file from a
dead file server. Each call is an Item. The calls are made on a separate thread, with a time limit
for each item and for all items together. If a call blocks, its thread is left behind, and the call
is not made again until it has returned. Without items, no thread is started.

The registry, a dict in the module sys, has an entry for each running call that may block, and for
each thread that makes such calls. The registry is in sys so that all clients use the same
registry, including clients that have sent this source themselves. The key of a call says what is
called: ("repr", id), ("file", name). The key of a thread is ("thread", native id); before Python
3.8 the key is ("thread", ident).

A part of the collector: see _stacks.
"""

import contextlib
import sys
import threading

from ._without_code import attempt, own_dict, system

BUDGET_MS = 500  #: the time for all calls that may block, together
_ITEM = 0.05  #: seconds for one of these calls
_SAME_KIND = 3  #: the most threads that are left behind in calls of one kind: a class, a directory
_LEFT_BEHIND = 32  #: the most threads that are left behind in all

_REGISTRY = "_pystuck_running_3"


class _Running(list):
    """A call in the registry.

    This class is a list, because another client may have sent another copy of this module, and the
    classes of that copy are other classes. The items of the list: the pid, the time in seconds at
    which the call began, the kind of the call, whether the call is done, its result, the native id
    of its thread or None, and the latest look at this thread (see _is_at_work()).
    """

    PID, BEGAN, KIND, DONE, RESULT, THREAD, LOOK = range(7)


def _cpu_time(native_id):
    """Return the CPU time of a thread of this process, or None.

    The clock's id is made with CPUCLOCK_SCHED and CPUCLOCK_PERTHREAD_MASK of Linux. Reading the
    clock needs no file.
    """
    if native_id is None or system.clock is None or not sys.platform.startswith("linux"):
        return None
    return attempt(lambda: system.clock(~native_id << 3 | 6))


def _is_runnable(native_id):
    """True if a thread of this process runs, or waits for a processor."""
    fd = system.open(f"/proc/self/task/{native_id}/stat", system.flags)
    try:
        return system.read(fd, 512).rpartition(b") ")[2].startswith(b"R")
    finally:
        system.close(fd)


def _is_at_work(running):
    """True if the thread of a call has run since the latest look at it, or waits for a processor.

    running: the call's entry in the registry. Its item LOOK is the latest look, as a tuple
    (seconds, CPU time, result). If this look was a short time ago, its result is returned again. A
    thread that waits for the GIL has run, because it wakes up after each switch interval. A thread
    that is blocked in a lock or in a system call has not run.
    """
    now, cpu = system.now(), _cpu_time(running[_Running.THREAD])
    since, before, result = running[_Running.LOOK]
    if now - since < _ITEM / 4:
        return result
    result = cpu != before
    if cpu is not None and not result:
        result = bool(attempt(lambda: _is_runnable(running[_Running.THREAD])))
    running[_Running.LOOK] = now, cpu, result
    return result


def _registry():
    """Return a copy of the registry, without entries that a parent process has left in it."""
    entries = vars(sys).get(_REGISTRY)
    pid = system.getpid()
    return {key: each for key, each in entries.copy().items() if each[0] == pid} if entries else {}


def _enter(key, entry):
    """Add an entry to the registry and return it.

    If the key already has an entry of this process, keep and return the earlier entry.
    """
    entries = vars(sys).setdefault(_REGISTRY, {})
    there = entries.setdefault(key, entry)
    if there[0] != entry[0]:  # an entry of the parent process
        there = entries[key] = entry
    return there


def _remove(key):
    """Remove an entry from the registry, and the registry itself if it is empty.

    If another thread adds an entry at this moment, the new entry may be lost. In this case, the
    same call may be made a second time although the first call blocks.
    """
    entries = vars(sys).get(_REGISTRY, {})
    entries.pop(key, None)
    if not entries and vars(sys).get(_REGISTRY) is entries:
        vars(sys).pop(_REGISTRY, None)


def helper_idents():
    """Return the idents of the helper threads, which make calls that may block."""
    return [each[1] for key, each in _registry().items() if key[0] == "thread"]


def forget_dummies():
    """Remove the dummy threads of helper threads from threading._active.

    threading adds a dummy thread if code on a helper thread calls threading.current_thread().
    """
    ids = {key[1] for key in _registry() if key[0] == "thread"}
    active = vars(threading).get("_active")
    if not ids or type(active) is not dict:
        return
    for ident, thread in active.copy().items():
        own = own_dict(thread)
        if own.get("_native_id", own.get("_ident")) in ids:
            active.pop(ident, None)


class Item:
    """A call that may block.

    key: the call's key in the registry. kind: see _SAME_KIND. deadline: the call is not begun after
    this time. status: None if it is not known yet; "ok" if the call has returned `result`; "stuck"
    if the call has not returned (`why` says whether it is blocked); "skipped" if the call was not
    made, for the reason in `why`. running: the call's entry in the registry, which may have been
    added for another client.
    """

    def __init__(self, key, kind, function, deadline):
        self.key, self.kind, self.function, self.deadline = key, kind, function, deadline
        self.status = self.result = self.running = None
        self.why = ""

    def skip(self, why):
        self.status, self.why = "skipped", why

    def look(self, now):
        """Set the status of a call that has begun, if the status is known by now."""
        if self.running[_Running.DONE]:
            self.status, self.result = "ok", self.running[_Running.RESULT]
        elif now - self.running[_Running.BEGAN] >= _ITEM:
            is_at_work = _is_at_work(self.running)
            self.status, self.why = "stuck", "has not returned yet" if is_at_work else "is blocked"


class _Batch:
    """Makes the calls of items on one thread, one after the other.

    If a call blocks, the thread is left behind.
    """

    def __init__(self, items):
        self._items, self._at, self._given_up = items, None, False
        self._until = 0.0  # when to look next at the thread of the current item

    def __call__(self):
        """Make the calls. Runs on the helper thread."""
        ident, native = system.get_ident(), system.get_native_id
        native_id = native and native()
        key = ("thread", native_id or ident)
        _enter(key, [system.getpid(), ident])
        try:
            for item in self._items:
                if self._given_up:
                    break
                self._call(item, native_id)
        finally:
            _remove(key)

    def _call(self, item, native_id):
        now = system.now()
        look = now, None, True
        entry = _Running([system.getpid(), now, item.kind, False, None, native_id, look])
        if entry[_Running.BEGAN] > item.deadline:
            return
        item.running = _enter(item.key, entry)
        if item.running is not entry:
            return  # the same call is being made for another client
        self._until, self._at = now + _ITEM / 2, item
        with contextlib.suppress(BaseException):
            entry[_Running.RESULT] = item.function()
        entry[_Running.DONE] = True
        _remove(item.key)

    def patience(self):
        """Return how many seconds to wait for the current item; -1: it blocks, or its time is over.

        An item whose thread is at work gets more time.
        """
        now, item = system.now(), self._at
        if item is None:
            until = self._items[0].deadline  # the helper thread has not begun
        else:
            if now >= self._until and _is_at_work(item.running):
                self._until = now + _ITEM / 2
            until = min(self._until, item.deadline)
        seconds = min(until - now, _ITEM / 2)
        return seconds if seconds > 0 else -1

    def run(self):
        """Make the calls until one blocks. Returns "", or the reason why no call was made."""
        try:
            _run_aside(self, self.patience)
        except (RuntimeError, MemoryError):
            return "no thread can be started"
        finally:
            self._given_up = True
        has_begun = any(item.running is not None for item in self._items)
        return "" if has_begun else "pystuck's thread for this call did not run in time"


def _run_aside(function, patience):
    """Call function on another thread and wait. Returns False if the thread was left behind.

    patience() returns how many more seconds to wait. If the number is negative, the thread is left
    behind. Uses _pystuck.run_aside(), or a thread of Python if there is no module _pystuck.
    """
    native = getattr(sys.modules.get("_pystuck"), "run_aside", None)
    if native is not None:
        return native(function, patience)
    if None in (system.start_new_thread, system.allocate_lock, system.get_ident):
        raise RuntimeError("the functions that start a thread were replaced")
    done = system.allocate_lock()
    done.acquire()

    def pystuck_run_aside():
        with contextlib.suppress(BaseException):  # Python would print the exception
            function()
        done.release()

    system.start_new_thread(pystuck_run_aside, ())
    while True:
        seconds = patience()
        if seconds < 0:
            return False
        if done.acquire(True, seconds):
            return True


def _is_same_kind(one, other):
    """True if two kinds are the same class or directory. Does not call __eq__ of a metaclass."""
    return one is other or (type(one) is type(other) is str and one == other)


def _sort_out(items):
    """Return the items that can be called now. Sets `status` or `running` of all other items."""
    registry, now = _registry(), system.now()
    blocked = [
        each[_Running.KIND]
        for key, each in registry.items()
        if key[0] != "thread" and now - each[_Running.BEGAN] >= _ITEM
    ]
    chosen = []
    for item in items:
        item.running = registry.get(item.key)
        if item.running is not None:
            item.look(now)
        elif now >= item.deadline:
            item.skip("the time limit for all calls together was reached")
        elif len(blocked) >= _LEFT_BEHIND:
            item.skip(f"{len(blocked)} calls are blocked")
        elif sum(_is_same_kind(kind, item.kind) for kind in blocked) >= _SAME_KIND:
            item.skip("another call of this kind is blocked")
        else:
            chosen.append(item)
    return chosen


def _finish(item):
    """Set item.status: wait until the call of the item has returned or counts as stuck.

    The call has begun, perhaps for another client. If the time limit is reached first, the item is
    skipped.
    """
    while item.status is None:
        now = system.now()
        item.look(now)
        if item.status is None and (now >= item.deadline or system.sleep is None):
            item.skip("the time limit for all calls together was reached")
        elif item.status is None:
            system.sleep(0.002)


def call_all(items):
    """Make the calls of all items, and set the status of each item.

    Leaves a call behind if it has not returned after about _ITEM seconds.
    """
    left = items
    while left:
        left = _sort_out(left)
        problem = _Batch(left).run() if left else ""
        now = system.now()
        for item in left:
            if item.running is not None:
                item.look(now)
            elif problem:
                item.skip(problem)
        left = [item for item in left if item.running is None and item.status is None]
    for item in items:
        if item.status is None:
            _finish(item)
    if any(item.status == "stuck" for item in items):
        forget_dummies()
