"""Collects all threads, greenlets, tasks and their frames as plain tuples.

This module is a part of the package. The client also sends the source of this module to servers
that have no pystuck. So the module must run in Python 3.6 and must not import other modules of
pystuck. After this module has been loaded, it imports nothing, because the program may be stuck
while it holds an import lock.

An answer is made in two steps:

* The first step collects everything that can be collected without running code of the program and
  without reading files. Threads, names and titles are read from threading._active and from the
  thread objects' own dicts, without a lock, a property or a method of a subclass. Greenlets are
  found by their type, not with isinstance(), which reads __class__.
* The second step makes the calls that may block: a __repr__ of the program, the loader of a module,
  reading a source file from a dead file server. Each call is an item. The calls are made on a
  separate thread, with a time limit for each item and for all items together. If a call blocks, its
  thread is left behind, and the call is not made again until it has returned. Without items, no
  thread is started.

The functions of the system are stored in _system when this module is loaded, because a program may
replace the functions in their modules (gevent, freezegun, pyfakefs).

Other rules for running in a program that is stuck:

* threading._active is read before and after the frames. So the name of a thread is known even if
  the thread was added to _active or removed from it in between. At the end of the first step,
  threads that no longer exist are left out, because they were not stuck.
* No variable refers to the frame of a function of this module. Such a frame would be in a reference
  cycle, which would keep the frames of all threads alive.
* Lone surrogates, which a file name may contain, are escaped: stock rpyc closes the connection if
  it has to send a lone surrogate.
"""

import _thread
import collections
import contextlib
import functools
import gc
import linecache
import os
import re
import stat
import sys
import threading
import time
import types
import weakref

#: The version of the tuples: see collect().
SCHEMA = 2

# Flags of collect(): what it collects besides the bare stacks. Flags may be added up.
REPR = 1  #: repr() of threads and greenlets
SOURCE = 2  #: source lines
#: The flag 4 asks a pystuck server for local variables. This module does not collect them.
GREENLETS = 8  #: greenlets; this looks through all objects that the garbage collector knows
TASKS = 16  #: tasks of asyncio

BUDGET_MS = 500  #: the time for all calls that may block, together
_ITEM = 0.05  #: seconds for one of these calls
_SAME_KIND = 3  #: the most threads that are left behind in calls of one kind: a class, a directory
_LEFT_BEHIND = 32  #: the most threads that are left behind in all


# ---- The system, as it was before the program changed it -----------------------------------------


class _Kept:
    """Keeps functions of the system as attributes of an object.

    Global variables cannot be used, because some libraries for tests replace functions of the
    system in the global variables of all modules.
    """


def _original(module, name):
    """Return a C function of a module, or None.

    If gevent has replaced the function, returns the original function, which gevent has saved.
    """
    value = vars(module).get(name)
    if type(value) is not types.BuiltinFunctionType:
        monkey = sys.modules.get("gevent.monkey")
        value = getattr(monkey, "saved", {}).get(module.__name__, {}).get(name)
    return value if type(value) is types.BuiltinFunctionType else None


def _keep():
    kept = _Kept()
    system = sys.modules.get("posix", os)  # libraries replace the functions of os
    for name in "open close read stat fstat getpid getppid uname readlink".split():
        setattr(kept, name, _original(system, name) or getattr(os, name, None))
    for name in "allocate_lock start_new_thread get_ident get_native_id".split():
        setattr(kept, name, _original(_thread, name))
    kept.main_ident = _original(_thread, "_get_main_thread_ident")
    kept.sleep = _original(time, "sleep")
    clock = _original(time, "clock_gettime")
    kept.clock = clock
    kept.now = clock and functools.partial(clock, time.CLOCK_MONOTONIC) or time.monotonic
    kept.time = clock and functools.partial(clock, time.CLOCK_REALTIME) or time.time
    names = "O_CLOEXEC O_NONBLOCK O_NOCTTY".split()
    kept.flags = sum(getattr(os, name, 0) for name in names)
    # gevent replaces threading.Thread. The class of the main thread's object is the original class
    # or a subclass of it. In the MRO of this class, only the original class defines __dict__.
    (kept.thread,) = [
        each for each in type(vars(threading)["_main_thread"]).__mro__ if "__dict__" in vars(each)
    ]
    kept.thread_dict = vars(kept.thread)["__dict__"].__get__
    kept.thread_repr = vars(kept.thread).get("__repr__")
    if getattr(kept.thread_repr, "__globals__", None) is not vars(threading):
        kept.thread_repr = None
    kept.dummy = vars(threading).get("_DummyThread")
    kept.handle = getattr(_thread, "_ThreadHandle", None)
    return kept


_system = _keep()
_mro = vars(type)["__mro__"].__get__
_class_dict = vars(type)["__dict__"].__get__
_class_name = vars(type)["__name__"].__get__
_class_module = vars(type)["__module__"].__get__
_type_flags = vars(type)["__flags__"].__get__
_HEAP_TYPE = 1 << 9  #: the bit of a class's __flags__ that says that the class is not built in


def _plain(text):
    """Return a text as a plain str, not as an instance of a subclass."""
    return text if type(text) is str else str.__str__(text)


def sendable(text):
    """Return the text with lone surrogates as escapes."""
    return str.encode(text, "utf-8", "backslashreplace").decode("utf-8")


def _attempt(function, otherwise=None):
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise


class _Untraced:
    """A context manager, inside which the program's trace functions do not run on this thread."""

    def __enter__(self):
        self._trace, self._profile = sys.gettrace(), sys.getprofile()
        if self._trace is not None:
            sys.settrace(None)
        if self._profile is not None:
            sys.setprofile(None)

    def __exit__(self, *error):
        if self._profile is not None:
            sys.setprofile(self._profile)
        if self._trace is not None:
            sys.settrace(self._trace)


# ---- Threads and their frames --------------------------------------------------------------------


def known_threads():
    """Return a dict of the thread objects that threading knows, keyed by ident."""
    active = vars(threading).get("_active")
    if type(active) is not dict:
        return {}
    return {ident: thread for ident, thread in active.copy().items() if type(ident) is int}


def _reader_of_frames():
    """Return the C function that returns a dict of innermost frames, keyed by ident."""
    return getattr(sys.modules.get("_pystuck"), "current_frames", None) or sys._current_frames


def _outside(frame, modules):
    """Return the first frame that is not of these modules, from `frame` outwards.

    modules: a list of the modules' globals. If all frames are of these modules, returns the
    outermost frame.
    """
    while frame.f_back is not None and any(frame.f_globals is each for each in modules):
        frame = frame.f_back
    return frame


def _frames(caller):
    """Return a dict of the program's innermost frames, keyed by ident. caller: see threads()."""
    own = sys._getframe().f_code
    # The loop is a comprehension, so that no local variable of this function refers to the frame of
    # this function. Such a variable would make a reference cycle, which would keep all frames
    # alive.
    frames = {
        ident: frame if frame.f_code is not own else caller and _outside(frame, caller)
        for ident, frame in _reader_of_frames()().items()
    }
    frames = {ident: frame for ident, frame in frames.items() if frame is not None}
    for ident in _attempt(lambda: sys.modules["_pystuck"].own_threads(), ()):
        frames.pop(ident, None)
    for ident in _helper_idents():
        frames.pop(ident, None)
    return frames


def _own_dict(thread):
    """Return the __dict__ of a thread object; {} for any other object."""
    try:
        own = _system.thread_dict(thread)
    except TypeError:
        return {}
    return own if type(own) is dict else {}


def _own(thread, name, kind):
    """Return an attribute from a thread object's __dict__; None if its type is not `kind`."""
    value = _own_dict(thread).get(name)
    return value if type(value) is kind else None


def _main_ident(idents):
    """Return the ident of the main thread. idents: a list of all idents, in Python's order."""
    ident = _own(vars(threading).get("_main_thread"), "_ident", int)
    if ident in idents:
        return ident
    if _system.main_ident is not None:
        return _system.main_ident()
    # gevent has replaced the ident in the thread object. The main thread is the oldest thread, and
    # Python lists the oldest thread last.
    if type(vars(_thread)["get_ident"]) is not types.BuiltinFunctionType and idents:
        return idents[-1]
    return ident


def threads(caller=None):
    """Return a list of (ident, thread object or None, innermost frame), the main thread first.

    The thread object is None for a thread that was not started by threading. Threads of a pystuck
    server are left out. The calling thread is also left out, because with a stock server, it only
    serves this request. To include the calling thread, set caller to a list of the globals of
    modules. The result then has the innermost frame of the calling thread that is not of these
    modules.
    """
    known = known_threads()
    frames = _frames(caller)
    known.update(known_threads())
    main = _main_ident(list(frames))
    if main in frames and main not in known:
        known[main] = vars(threading).get("_main_thread")
    order = dict.fromkeys([main] + list(known) + list(frames))
    return [(ident, known.get(ident), frames[ident]) for ident in order if ident in frames]


def alive():
    """Return the idents of the threads that have not ended."""
    return set(_reader_of_frames()())


def greenlets():
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and is not running.

    The greenlets are in the order of their addresses, because the order in the garbage collector
    changes.
    """
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    if not isinstance(base, type):
        return
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), base)]
    for thing in sorted(found, key=id):
        frame = base.gr_frame.__get__(thing) if base.__bool__(thing) else None
        if frame is not None:  # else the greenlet is running, and its thread has the frame
            yield thing, frame


def calls(frame):
    """Return a list of a frame and its callers, the outermost first."""
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


# ---- Calls that may block ------------------------------------------------------------------------
#
# The registry, a dict in the module sys, has an entry for each running call that may block, and for
# each thread that makes such calls. The registry is in sys so that all clients use the same
# registry, including clients that have sent this source themselves. The key of a call says what is
# called: ("repr", id), ("file", name). The key of a thread is ("thread", native id); before Python
# 3.8 the key is ("thread", ident).

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
    if native_id is None or _system.clock is None or not sys.platform.startswith("linux"):
        return None
    return _attempt(lambda: _system.clock(~native_id << 3 | 6))


def _is_runnable(native_id):
    """True if a thread of this process runs, or waits for a processor."""
    fd = _system.open(f"/proc/self/task/{native_id}/stat", _system.flags)
    try:
        return _system.read(fd, 512).rpartition(b") ")[2].startswith(b"R")
    finally:
        _system.close(fd)


def _is_at_work(running):
    """True if the thread of a call has run since the latest look at it, or waits for a processor.

    running: the call's entry in the registry. Its item LOOK is the latest look, as a tuple
    (seconds, CPU time, result). If this look was a short time ago, its result is returned again. A
    thread that waits for the GIL has run, because it wakes up after each switch interval. A thread
    that is blocked in a lock or in a system call has not run.
    """
    now, cpu = _system.now(), _cpu_time(running[_Running.THREAD])
    since, before, result = running[_Running.LOOK]
    if now - since < _ITEM / 4:
        return result
    result = cpu != before
    if cpu is not None and not result:
        result = bool(_attempt(lambda: _is_runnable(running[_Running.THREAD])))
    running[_Running.LOOK] = now, cpu, result
    return result


def _registry():
    """Return a copy of the registry, without entries that a parent process has left in it."""
    entries = vars(sys).get(_REGISTRY)
    pid = _system.getpid()
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


def _helper_idents():
    """Return the idents of the helper threads, which make calls that may block."""
    return [each[1] for key, each in _registry().items() if key[0] == "thread"]


def _forget_dummies():
    """Remove the dummy threads of helper threads from threading._active.

    threading adds a dummy thread if code on a helper thread calls threading.current_thread().
    """
    ids = {key[1] for key in _registry() if key[0] == "thread"}
    active = vars(threading).get("_active")
    if not ids or type(active) is not dict:
        return
    for ident, thread in active.copy().items():
        own = _own_dict(thread)
        if own.get("_native_id", own.get("_ident")) in ids:
            active.pop(ident, None)


class _Item:
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
        ident, native = _system.get_ident(), _system.get_native_id
        native_id = native and native()
        key = ("thread", native_id or ident)
        _enter(key, [_system.getpid(), ident])
        try:
            for item in self._items:
                if self._given_up:
                    break
                self._call(item, native_id)
        finally:
            _remove(key)

    def _call(self, item, native_id):
        now = _system.now()
        look = now, None, True
        entry = _Running([_system.getpid(), now, item.kind, False, None, native_id, look])
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
        now, item = _system.now(), self._at
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
    if None in (_system.start_new_thread, _system.allocate_lock, _system.get_ident):
        raise RuntimeError("the functions that start a thread were replaced")
    done = _system.allocate_lock()
    done.acquire()

    def pystuck_run_aside():
        with contextlib.suppress(BaseException):  # Python would print the exception
            function()
        done.release()

    _system.start_new_thread(pystuck_run_aside, ())
    while True:
        seconds = patience()
        if seconds < 0:
            return False
        if done.acquire(True, seconds):
            return True


def _sort_out(items):
    """Return the items that can be called now. Sets `status` or `running` of all other items."""
    registry, now = _registry(), _system.now()
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
        elif blocked and sum(kind == item.kind for kind in blocked) >= _SAME_KIND:
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
        now = _system.now()
        item.look(now)
        if item.status is None and (now >= item.deadline or _system.sleep is None):
            item.skip("the time limit for all calls together was reached")
        elif item.status is None:
            _system.sleep(0.002)


def _call_all(items):
    """Make the calls of all items, and set the status of each item.

    Leaves a call behind if it has not returned after about _ITEM seconds.
    """
    left = items
    while left:
        left = _sort_out(left)
        problem = _Batch(left).run() if left else ""
        now = _system.now()
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
        _forget_dummies()


# ---- Titles --------------------------------------------------------------------------------------

#: The names that Thread.__repr__ looks up in a thread object. If a subclass defines one of these
#: names, its objects may have another repr().
_LOOKED_UP = (
    "__repr__ __getattribute__ __getattr__ __class__ __dict__ _initialized _started is_alive"
    " _is_stopped _handle _os_thread_handle _daemonic _ident _name"
).split()


def _has_plain_repr(cls):
    """True if repr() of a thread of this class runs only code of threading and C."""
    bases = _mro(cls)
    if type(cls) is not type or _system.thread not in bases:
        return False
    repr_now = _class_dict(_system.thread).get("__repr__")
    if repr_now is None or repr_now is not _system.thread_repr:
        return False
    others = [
        _class_dict(base) for base in bases if base not in (_system.thread, _system.dummy, object)
    ]
    return not any(name in names for names in others for name in _LOOKED_UP)


def _is_plain_greenlet(thing):
    """True if `thing` is a greenlet whose repr() runs only code of the C module greenlet."""
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    return type(thing) is base and not _type_flags(base) & _HEAP_TYPE


def _plain_title(thread):
    """Return the repr() of a thread or greenlet; None if repr() could run code of the program."""
    if _is_plain_greenlet(thread):
        return repr(thread)
    cls, own = type(thread), _own_dict(thread)
    name, ident, daemon = own.get("_name"), own.get("_ident"), own.get("_daemonic")
    word = _class_name(cls)
    if not (
        type(word) is type(name) is str
        and type(ident) is int
        and type(daemon) is bool
        and _has_plain_repr(cls)
    ):
        return None
    status = "stopped" if _is_stopped(own) else "started"
    return f"<{word}({name}, {status}{' daemon' if daemon else ''} {ident})>"


def _is_stopped(own):
    """True if threading says that a thread has stopped. own: the __dict__ of the thread object.

    For the main thread, this is already true while the main thread waits for the other threads at
    the end of the program.
    """
    handle = own.get("_handle", own.get("_os_thread_handle"))
    if handle is not None and type(handle) is _system.handle:
        return handle.is_done()
    return own.get("_is_stopped") is True


def _failed_title(thing, words):
    """Return a title for a thread or greenlet without a usable repr(). words: the reason."""
    name = _own(thing, "_name", str)
    head = f"({name})" if name is not None else f" at {id(thing):#x}"
    return sendable(f"<{_class_name(type(thing))}{head}: {words}>")


def _title(thing):
    """Return (text, status): the repr() of a thread or greenlet. May run any code."""
    try:
        return sendable(repr(thing)), "ok"
    except BaseException as error:
        text = f"{object.__repr__(thing)} (its repr raised {type(error).__name__})"
        return sendable(text), "error"


def without_object(ident):
    """Return the title of a thread that was not started by threading."""
    return f"<thread {ident} (not started by threading)>"


class _Titles:
    """The titles of threads and greenlets. Call add() for each of them, then items(), then of()."""

    def __init__(self, deadline):
        self._deadline, self._plain, self._items = deadline, {}, {}

    def items(self):
        return list(self._items.values())

    def add(self, thing):
        """Compose the title of a thread or greenlet.

        If its repr() may run other code, make an item instead.
        """
        plain = None if thing is None else _plain_title(thing)
        if plain is not None:
            self._plain[id(thing)] = sendable(plain), "ok"
        elif thing is not None:
            # The reference in this partial keeps thing alive, so that no other object gets its id.
            call = functools.partial(_title, thing)
            item = _Item(("repr", id(thing)), type(thing), call, self._deadline)
            self._items[id(thing)] = item

    def of(self, ident, thing):
        """Return (text, status) for a thread or greenlet. The items must have been called."""
        if thing is None:
            return without_object(ident), "ok"
        if id(thing) in self._plain:
            return self._plain[id(thing)]
        item = self._items[id(thing)]
        if item.status == "ok" and item.result is not None:
            return item.result
        if item.status == "ok":
            return _failed_title(thing, "its repr() failed"), "error"
        words = item.why if item.status == "stuck" else f"was not called: {item.why}"
        return _failed_title(thing, f"its repr() {words}"), item.status


def titles(threads):
    """Return a dict of titles of threads, keyed by ident. Takes BUDGET_MS at most.

    threads: pairs of an ident and a thread object.
    """
    found = _Titles(_system.now() + BUDGET_MS / 1000)
    for _, thread in threads:
        found.add(thread)
    _call_all(found.items())
    return {ident: found.of(ident, thread)[0] for ident, thread in threads}


# ---- Source --------------------------------------------------------------------------------------

_FILE_MAX = 1 << 24  #: bytes
_FILES_REMEMBERED = 256
#: True if linecache finds the source of frozen modules.
_HAS_FROZEN_SOURCE = sys.version_info >= (3, 14)

_coding = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)").match
_blank = re.compile(rb"[ \t\f]*(?:#.*)?\Z").match

#: A cache of lines of files: {path: ((mtime in ns, size, inode), {line number: text})}
_remembered = {}


def _encoding(lines):
    """Return the name of the encoding of a source file: see PEP 263."""
    for line in lines[:2]:
        declared = _coding(line)
        if declared:
            return declared.group(1).decode("ascii")
        if not _blank(line):
            break
    return "utf-8"


def _read(path, size):
    """Return the bytes of a file; None if the file is not a regular file, or is too long."""
    fd = _system.open(path, _system.flags)
    try:
        if not stat.S_ISREG(_system.fstat(fd).st_mode):
            return None
        parts, left = [], min(size, _FILE_MAX) + 1
        while left > 0:
            part = _system.read(fd, left)
            if not part:
                return b"".join(parts)
            parts.append(part)
            left -= len(part)
        return None  # the file grows, or is too long
    finally:
        _system.close(fd)


def _decoded(data, numbers):
    """Return the lines `numbers` of a source file: a dict, keyed by number.

    data: the bytes of the file.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    encoding = _encoding(lines)
    return {
        number: lines[number - 1].decode(encoding, "replace")
        for number in numbers
        if 0 < number <= len(lines)
    }


def _lines_of_file(path, numbers):
    """Return a dict that has the lines `numbers` of a file, keyed by number.

    Returns None if the file cannot be read, and {} if it is not a regular file or is too long.
    """
    try:
        info = _system.stat(path)
        if not stat.S_ISREG(info.st_mode):
            return {}  # it may be a FIFO: opening it might disturb the process at the other end
        version = info.st_mtime_ns, info.st_size, info.st_ino
        known, lines = _remembered.get(path, (None, {}))
        if known != version:
            lines = {}
        if not all(number in lines for number in numbers):
            data = _read(path, info.st_size)
            if data is None:
                return {}
            lines = {**lines, **_decoded(data, numbers)}
            if len(_remembered) >= _FILES_REMEMBERED:
                _remembered.clear()
            _remembered[path] = version, lines
        return lines
    except OSError:
        return None


def _split(text, numbers):
    """Return the lines `numbers` of a text: a dict, keyed by number."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {number: lines[number - 1] for number in numbers if 0 < number <= len(lines)}


def _own_file(names):
    """Return the source file of the module with these globals; "" if it has none."""
    path = names.get("__file__")
    if type(path) is not str:
        return ""
    return path[:-1] if path.endswith((".pyc", ".pyo")) else path


def _is_own_file(name, path):
    """True if a file name means the file `path`.

    name: the file name in a code object, which may be relative. path: the file of the module.
    """
    if not name or _is_made_up(name):
        return False
    return name == path or (name[0] != "/" and path.endswith("/" + name))


def _is_made_up(name):
    """True for names such as <stdin>, which are not names of files."""
    return name.startswith("<") and name.endswith(">")


def _from_loader(names, numbers):
    """Return the lines `numbers` from a module's loader: a dict by number. May run any code."""
    spec = names.get("__spec__")
    loader = names.get("__loader__") or getattr(spec, "loader", None)
    get_source = getattr(loader, "get_source", None)
    if get_source is None:
        return {}
    text = get_source(getattr(spec, "name", None) or names.get("__name__"))
    return _split(text, numbers) if isinstance(text, str) else {}


def _from_lazy(name, names, numbers):
    """Return lines of the source that linecache would get from a lazy entry. May run any code.

    linecache makes such an entry for each file name in a traceback, with the loader of the module.
    For a made-up name such as <string>, this function returns {}, because the loader would return
    the source of the module's own file, which is wrong.
    """
    entry = _entry(vars(linecache).get("cache"), name)
    if entry is None or len(entry) != 1:
        return {}
    text = entry[0]()
    if not isinstance(text, str):
        return {}
    found, path = _split(text, numbers), _own_file(names)
    own = _lines_of_file(path, numbers) if path.startswith("/") else None
    if own is not None and found == {number: own[number] for number in numbers if number in own}:
        return {}
    return {} if found == _attempt(lambda: _from_loader(names, numbers)) else found


def _found_lines(name, names, numbers):
    """Return a dict of source lines of a code object with this file name, keyed by number.

    names: the globals of the code object. A relative file name is used only if it means the file of
    the module. Other relative names may be made up, and the working directory may have changed. May
    block, and may run any code.
    """
    path, found = _own_file(names), None
    is_own = _is_own_file(name, path)
    if is_own or (_HAS_FROZEN_SOURCE and name.startswith("<frozen ")):
        found = _lines_of_file(path, numbers)
    elif name.startswith("/"):
        found = _lines_of_file(name, numbers)
    if found is None and is_own:
        found = _from_loader(names, numbers)
    return found or _from_lazy(name, names, numbers)


def _entry(cache, key):
    """Return an entry of linecache, or None."""
    entry = cache.get(key) if type(cache) is dict else None
    return entry if type(entry) is tuple else None


def _cached_line(code, number):
    """Return a line if the program itself has put it into linecache; otherwise None.

    The entry of such a line has no modification time. From Python 3.13 on, linecache also has the
    code of `python -c`.
    """
    cache = vars(linecache).get("cache")
    entry = _entry(cache, code.co_filename)
    if entry is None and code.co_filename.startswith("<"):
        entry = _entry(cache, code)
        if entry is None and hasattr(code, "co_qualname"):
            key = code.co_filename, code.co_qualname, code.co_firstlineno
            entry = _entry(vars(linecache).get("_interactive_cache"), key)
    if entry is None or len(entry) != 4 or entry[1] is not None or type(entry[2]) is not list:
        return None
    lines = entry[2]
    line = lines[number - 1] if type(number) is int and 0 < number <= len(lines) else None
    return line if type(line) is str else None


def _may_have_source(name):
    """True if source may be found for this file name, so that it is worth starting a thread."""
    if not _is_made_up(name):
        return bool(name)
    if _entry(vars(linecache).get("cache"), name) is not None:
        return True
    return _HAS_FROZEN_SOURCE and name.startswith("<frozen ")


class Sources:
    """Source lines of frames. First want() all lines, then fetch() them, then use line()."""

    def __init__(self, deadline=None):
        self._deadline = deadline if deadline is not None else _system.now() + BUDGET_MS / 1000
        self._wanted = {}  # {file name: (globals, list of line numbers)}
        self._seen, self._cached, self._items = set(), {}, {}

    def want(self, code, numbers, names):
        """Ask for lines of the source of a code object. names: its globals."""
        name = _plain(code.co_filename)
        for number in numbers:
            if type(number) is not int or (name, number) in self._seen:
                continue
            self._seen.add((name, number))
            line = _cached_line(code, number)
            if line is not None:
                self._cached[name, number] = line.rstrip("\r\n")
            elif type(names) is dict and _may_have_source(name):
                self._wanted.setdefault(name, (names, []))[1].append(number)

    def items(self):
        """Return items for the lines that were asked for. Call this only once."""
        for name, (names, numbers) in self._wanted.items():
            call = functools.partial(_found_lines, name, names, numbers)
            directory = name.rpartition("/")[0]
            self._items[name] = _Item(("file", name), directory, call, self._deadline)
        return list(self._items.values())

    def fetch(self):
        """Get all lines that were asked for. Takes BUDGET_MS at most."""
        _call_all(self.items())

    def line(self, name, number):
        """Return (text or None, status) of a line. The items must have been called."""
        line = self._cached.get((name, number))
        item = self._items.get(name)
        if line is None and item is not None:
            if item.status != "ok":
                return None, item.status
            line = (item.result or {}).get(number)
        return (line, "error" if line is None else "ok")


# ---- Tasks of asyncio ----------------------------------------------------------------------------
#
# Tasks are found in the sets of the module asyncio.tasks, from any thread. From Python 3.14 on,
# these sets do not have the tasks of the C module _asyncio, which keeps its tasks in C lists that
# Python code cannot read. So from 3.14 on, all objects that the garbage collector knows are looked
# through.
#
# A task stores the future that it awaits. The object that sets this future is found through the
# coroutines of the task (the coroutine of Lock.acquire has the Lock), or through the future's
# callbacks (those of shield() and run_in_executor() refer to the future from which this future gets
# its result). gc.get_referents() returns the local variables and the value stack of a suspended
# coroutine; for an entered `async with` this stack has the __aexit__ of the manager.
#
# No code of the program runs. Attributes are read with the C descriptors of asyncio's own classes,
# or with object.__getattribute__ if no class of the object has a descriptor of this name. Tasks are
# never put into sets or dicts, because a subclass may have its own __hash__.

_TASKS_MAX = 5000  #: the most tasks that are collected
_TASKS_SORTED = 20  #: at most _TASKS_SORTED * _TASKS_MAX tasks are sorted; _TASKS_MAX are kept
_TASKS_SECONDS = 2  #: the time limit for collecting tasks, which takes long on a busy machine
_CHAIN_MAX = 200  #: the most coroutines of a task
_AWAITS_MAX = 1000  #: the most tasks that are listed for one task that awaits them
_ABSENT = object()

_CellType = type((lambda value: lambda: value)(0).__closure__[0])
_MethodDescriptorType = type(str.join)
_CORO_TYPES = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
_method_func = vars(types.MethodType)["__func__"].__get__
_method_self = vars(types.MethodType)["__self__"].__get__
_builtin_self = vars(types.BuiltinFunctionType)["__self__"].__get__
_IS_STACK_IN_FRAME = sys.version_info < (3, 11)


def _names_of(module):
    """Return the globals of a module that the program has imported; {} if it has not."""
    module = sys.modules.get(module)
    return vars(module) if type(module) is types.ModuleType else {}


def _bases(cls):
    """Return the MRO of a class; () for a C class that PyType_Ready() has not completed."""
    return _mro(cls) or ()


def _is_descriptor(value):
    return any(
        name in _class_dict(base)
        for base in _bases(type(value))
        for name in ("__get__", "__set__", "__delete__")
    )


def _field(thing, name):
    """Return an attribute of an object; None if it has none, or if code would have to run."""
    for base in _bases(type(thing)):
        found = _class_dict(base).get(name, _ABSENT)
        if found is _ABSENT:
            continue
        if type(found) is not types.MemberDescriptorType and _is_descriptor(found):
            return None
        break
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def _lookup(cls, name):
    """Return the value of a name in the dict of a class or of one of its bases; else None."""
    for base in _bases(cls):
        found = _class_dict(base).get(name, _ABSENT)
        if found is not _ABSENT:
            return found
    return None


def _is_of(thing, *types_):
    """True if the type of an object is one of types_.

    The operator `in` would also call __eq__ of a metaclass.
    """
    return any(type(thing) is each for each in types_)


def _code_of(function):
    return function.__code__ if type(function) is types.FunctionType else None


def _cells(function):
    """Return the variables of a closure, by name."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # an empty cell
            found[name] = cell.cell_contents
    return found


def _natural(name):
    """Return a key that sorts Task-2 before Task-10."""
    parts = re.split("([0-9]{1,18})", name)  # each second one is a number
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _line_starts(code):
    """Return a list of (offset, line): the instructions from the offset on belong to the line."""
    if hasattr(code, "co_lines"):
        return [(start, line) for start, _, line in code.co_lines() if line is not None]
    offset, line, found = 0, code.co_firstlineno, []
    for more, lines in zip(code.co_lnotab[::2], code.co_lnotab[1::2]):
        offset, line = offset + more, line + (lines - 256 if lines > 127 else lines)
        found.append((offset, line))
    return [(0, code.co_firstlineno), *found]


def _entries_of(code):
    """Return (offset, line) of each instruction of a code object that enters a `with` block."""
    numbers = _names_of("opcode").get("opmap", {})
    names = "BEFORE_ASYNC_WITH", "BEFORE_WITH", "SETUP_WITH"
    plain = {numbers[name] for name in names if name in numbers}
    special = numbers.get("LOAD_SPECIAL")  # from 3.14 on; the arguments are __exit__, __aexit__
    raw, found, starts = code.co_code, [], None
    for offset in range(0, len(raw), 2):
        if raw[offset] in plain or (raw[offset] == special and raw[offset + 1] in (1, 3)):
            starts = starts or _line_starts(code)
            lines = [line for start, line in starts if start <= offset]
            found.append((offset, lines[-1] if lines else None))
    return found


class _CodeFacts:
    """Facts about a code object, which are computed once for all tasks."""

    def __init__(self, code, rule):
        self.code, self.rule = code, rule
        self.entries = _entries_of(code)
        self.may_release = "release" in code.co_names
        qualname = getattr(code, "co_qualname", None)
        self.call = _plain(code.co_filename), code.co_name, qualname


class _Asyncio:
    """The classes and functions of asyncio in this program, and what its objects store.

    CLASSES gives classes a kind, which is a word. An object has the kind of the first class in its
    MRO that has a kind.
    """

    #: (module, class, kind, methods that wait)
    CLASSES = (
        ("_asyncio", "Task", "task", ()),
        ("_asyncio", "Future", "future", ()),
        ("asyncio.tasks", "_PyTask", "py-task", ()),
        ("asyncio.futures", "_PyFuture", "py-future", ()),
        ("asyncio.locks", "Lock", "lock", (("acquire", "lock"),)),
        ("asyncio.locks", "Event", "event", (("wait", "event"),)),
        ("asyncio.locks", "Condition", "condition", (("wait", "condition"),)),
        ("asyncio.locks", "Semaphore", "semaphore", (("acquire", "semaphore"),)),
        ("asyncio.locks", "Barrier", "barrier", (("wait", "barrier"),)),
        (
            "asyncio.queues",
            "Queue",
            "queue",
            (("get", "queue-get"), ("put", "queue-put"), ("join", "queue-join")),
        ),
        ("asyncio.taskgroups", "TaskGroup", "group", (("__aexit__", "group"), ("_aexit", "group"))),
        ("asyncio.tasks", "_AsCompletedIterator", "iterator", (("_wait_for_one", "iterator"),)),
        ("asyncio.streams", "StreamReader", "stream", (("_wait_for_data", "stream"),)),
        ("asyncio.events", "TimerHandle", "timer", ()),
        ("concurrent.futures._base", "Future", "concurrent", ()),
        ("contextlib", "_AsyncGeneratorContextManager", "generator-manager", ()),
        ("contextlib", "_GeneratorContextManager", "generator-manager", ()),
        ("contextlib", "AsyncExitStack", "exit-stack", ()),
        ("contextlib", "ExitStack", "exit-stack", ()),
    )

    def __init__(self):
        self.tasks = _names_of("asyncio.tasks")
        self._bases, self._kinds, self._codes, self._rules = {}, {}, {}, {}
        self._classes = {}
        for module, name, kind, methods in self.CLASSES:
            cls = _names_of(module).get(name)
            if not issubclass(type(cls), type):
                continue
            self._bases[id(cls)] = kind
            self._classes[kind] = cls
            for method, rule in methods:
                self._add_rule(_class_dict(cls).get(method), rule, kind)
        self._add_rule(self.tasks.get("_wait"), "wait", None)
        self._add_rule(self.tasks.get("sleep"), "sleep", None)
        if sys.version_info < (3, 12):  # later versions await the future itself
            self._add_rule(self.tasks.get("wait_for"), "wait-for", None)
        mixin = _names_of("asyncio.locks").get("_ContextManagerMixin")
        self.lock_exit = _class_dict(mixin).get("__aexit__") if type(mixin) is type else None
        self.lock_enter = _class_dict(mixin).get("__aenter__") if type(mixin) is type else None
        self.gathering = self.tasks.get("_GatheringFuture")
        self.future_await = _code_of(
            _class_dict(self._classes["py-future"]).get("__await__")
            if "py-future" in self._classes
            else None
        )
        self._read_c_fields()

    def _add_rule(self, function, rule, kind):
        code = _code_of(function)
        if code is not None:
            self._rules[id(code)] = rule, kind

    def _read_c_fields(self):
        """Find the C descriptors of _asyncio.Task and _asyncio.Future."""
        self._fields = {}
        for kind in ("future", "task"):
            cls = self._classes.get(kind, object)  # from 3.14 on, Task inherits some of Future
            for name in "_state _loop _callbacks _fut_waiter _coro _must_cancel".split():
                found = _lookup(cls, name)
                if type(found) is types.GetSetDescriptorType:
                    self._fields[kind, name] = found.__get__
            found = _lookup(cls, "get_name")
            if type(found) is _MethodDescriptorType:
                self._fields[kind, "_name"] = found

    def kind(self, thing):
        """Return the kind of an object: a word from CLASSES, such as "lock", or None."""
        cls = type(thing)
        known = self._kinds.get(id(cls))
        if known is None:  # the class is kept, so that no other class gets its id
            words = [self._bases[id(base)] for base in _bases(cls) if id(base) in self._bases]
            known = self._kinds[id(cls)] = cls, words[0] if words else None
        return known[1]

    def read(self, thing, name):
        """Return a field of a future or task."""
        kind = self.kind(thing)
        read = self._fields.get((kind, name))
        if read is not None:
            return read(thing)
        return None if kind in ("task", "future") else _field(thing, name)

    def is_task(self, thing):
        return self.kind(thing) in ("task", "py-task")

    def is_future(self, thing):
        return self.kind(thing) in ("task", "py-task", "future", "py-future")

    def is_pending(self, future):
        return self.read(future, "_state") == "PENDING"

    def facts_of(self, code):
        known = self._codes.get(id(code))
        if known is None:
            rule = self._rules.get(id(code), (None, None))
            if code.co_name == "_wait_for_one" and rule[0] is None:  # of as_completed(), up to 3.12
                completed = _code_of(self.tasks.get("as_completed"))
                if completed is not None and any(code is each for each in completed.co_consts):
                    rule = "completed", "queue"
            known = self._codes[id(code)] = _CodeFacts(code, rule)
        return known

    # -- The tasks --

    def _subclasses(self):
        """Return the ids of _asyncio.Task and of all its subclasses."""
        found, left = {}, [self._classes["task"]]
        while left:
            cls = left.pop()
            if id(cls) not in found:
                found[id(cls)] = cls
                left += type.__subclasses__(cls)
        return set(found)

    def _of_c_lists(self):
        """Return the tasks of the C module _asyncio; before Python 3.14, an empty list.

        From 3.14 on, these tasks are in C lists, and not in the sets that all_tasks() reads.
        """
        if sys.version_info < (3, 14) or "task" not in self._classes:
            return []
        wanted = self._subclasses()
        return [thing for thing in gc.get_objects() if id(type(thing)) in wanted]

    def all_tasks(self):
        """Return all tasks that are not done, in no order."""
        found = []
        for module in ("asyncio.tasks", "_asyncio"):
            names = _names_of(module)
            for name in ("_scheduled_tasks", "_all_tasks", "_eager_tasks"):
                data = names.get(name)
                if type(data) is weakref.WeakSet:
                    data = _field(data, "data")
                found += list(data) if type(data) is set else []
        found = [each() if type(each) is weakref.ReferenceType else each for each in found]
        found += self._of_c_lists()
        found = {id(each): each for each in found if self.is_task(each)}
        return [each for each in found.values() if self.is_pending(each)]

    def name(self, task):
        name = self.read(task, "_name")
        if not issubclass(type(name), str):
            return f"task at {id(task):#x}"
        return _plain(name)

    # -- Coroutines --

    def chain(self, task):
        """Return the coroutines of a task as (coroutine, frame or None), the outermost first."""
        found, thing = [], self.read(task, "_coro")
        while thing is not None and len(found) < _CHAIN_MAX:
            kind = type(thing)
            if kind is types.CoroutineType:
                found.append((thing, thing.cr_frame))
                thing = thing.cr_await
            elif kind is types.GeneratorType:
                if thing.gi_code is not self.future_await:
                    found.append((thing, thing.gi_frame))
                thing = thing.gi_yieldfrom
            elif kind is types.AsyncGeneratorType:
                found.append((thing, thing.ag_frame))
                thing = thing.ag_await
            else:
                thing = self._wrapped(thing)
        return [each for each in found if each[1] is not None]

    def _wrapped(self, thing):
        """Return the coroutine that a C object such as async_generator_asend awaits, or None."""
        cls = type(thing)
        if _type_flags(cls) & _HEAP_TYPE or self.is_future(thing):
            return None
        word = _class_name(cls)
        if word not in (
            "async_generator_asend",
            "async_generator_athrow",
            "coroutine_wrapper",
            "anext_awaitable",
        ):
            return None
        for each in gc.get_referents(thing):
            if _is_of(each, *_CORO_TYPES) or _class_name(type(each)) == "async_generator_asend":
                return each
        return None

    def referents(self, coroutine, frame):
        """Return the objects to which a suspended coroutine refers.

        The local variables come before the value stack. The result also has objects that belong to
        neither of them.
        """
        return gc.get_referents(frame if _IS_STACK_IN_FRAME else coroutine)

    def first(self, referents, kind):
        """Return the first of the referents that is of this kind, or None.

        For the cell of a closure, checks and returns the content of the cell.
        """
        for each in referents:
            if type(each) is _CellType:
                each = _attempt(lambda cell=each: cell.cell_contents)
            if self.kind(each) == kind:
                return each
        return None

    # -- Managers of entered `with` blocks --

    def may_release(self, frame):
        """True if the code of a frame may release a lock.

        False for functions of asyncio that wait. Condition.wait() releases only its own lock.
        """
        facts = self.facts_of(frame.f_code)
        return facts.may_release and facts.rule[0] is None

    def managers(self, referents):
        """Return the managers whose __exit__ or __aexit__ are among the referents."""
        found, before = [], None
        for each in referents:
            manager = self._manager(before, each)
            before = each
            if manager is not _ABSENT:
                found.append(manager)
        return found

    @staticmethod
    def _manager(before, each):
        kind = type(each)
        if kind is types.MethodType:
            function = _method_func(each)
            if type(function) is types.FunctionType and function.__name__ in (
                "__aexit__",
                "__exit__",
            ):
                return _method_self(each)
        elif kind is types.BuiltinFunctionType and each.__name__ == "__exit__":
            return _builtin_self(each)
        # From 3.14 on, the value stack has the function __exit__ or __aexit__, then the manager.
        kind = type(before)
        if kind is types.FunctionType and before.__name__ in ("__aexit__", "__exit__"):
            found = _lookup(type(each), before.__name__)
            return each if found is before else _ABSENT
        if kind is _MethodDescriptorType and before.__name__ == "__exit__":
            return each if _lookup(type(each), "__exit__") is before else _ABSENT
        return _ABSENT

    def inner_managers(self, manager, may_release, depth=3):
        """Return a manager and the managers that it has entered.

        An ExitStack and a function with @asynccontextmanager may enter managers. may_release:
        whether the code inside the `with` block may release the manager. Returns a list of
        (manager, whether the code inside the `with` block of this manager may release it).
        """
        kind, found = self.kind(manager), [(manager, may_release)]
        if depth == 0 or kind not in ("exit-stack", "generator-manager"):
            return found
        inner = []
        if kind == "exit-stack":
            callbacks = _field(manager, "_exit_callbacks")
            pairs = list(callbacks) if type(callbacks) is collections.deque else []
            inner = [
                _method_self(each[1])
                for each in pairs
                if type(each) is tuple and len(each) == 2 and type(each[1]) is types.MethodType
            ]
        else:
            generator = _field(manager, "gen")
            if type(generator) is types.AsyncGeneratorType:
                frame = generator.ag_frame
            elif type(generator) is types.GeneratorType:
                frame = generator.gi_frame
            else:
                return found
            if frame is not None:
                inner = self.managers(self.referents(generator, frame))
                may_release = may_release or self.may_release(frame)
        for each in inner:
            found += self.inner_managers(each, may_release, depth - 1)
        return found

    def is_plain_lock(self, thing):
        """True if `async with` of this asyncio.Lock runs only the code of asyncio."""
        cls = type(thing)
        lock = self._classes.get("lock")
        return (
            _lookup(cls, "__aexit__") is self.lock_exit
            and _lookup(cls, "__aenter__") is self.lock_enter
            and all(
                _lookup(cls, name) is _class_dict(lock).get(name) for name in ("acquire", "release")
            )
        )

    # -- What sets a future --

    def _callbacks(self, future):
        """Return (name, variables) of the callbacks of a future that are functions of asyncio."""
        callbacks = self.read(future, "_callbacks")
        for each in callbacks if type(callbacks) is list else ():
            function = each[0] if type(each) is tuple and each else each
            if type(function) is not types.FunctionType or not function.__closure__:
                continue
            module = function.__globals__.get("__name__")
            if type(module) is str and module.startswith("asyncio."):
                yield function.__name__, _cells(function)

    def awaited(self, future, seen=0):
        """Return the tasks and other futures that must be done before this future is."""
        if self.is_task(future):
            return [future]
        if type(future) is self.gathering and seen < 5:
            return self.awaited_of(_field(future, "_children"), seen + 1)
        for name, cells in self._callbacks(future):
            if name == "_outer_done_callback" and self.is_future(cells.get("inner")) and seen < 5:
                return self.awaited(cells["inner"], seen + 1)
            if name == "_call_check_cancel" and self.kind(cells.get("source")) == "concurrent":
                return [cells["source"]]
        return [future]

    def awaited_of(self, futures, seen=0):
        """Return what awaited() returns for the pending futures of a list or set."""
        found = []
        if not _is_of(futures, list, set, frozenset, tuple):
            return found
        for each in list(futures):
            if len(found) >= _AWAITS_MAX:
                break
            if self.is_future(each) and self.is_pending(each):
                found += self.awaited(each, seen)
        return list({id(each): each for each in found}.values())

    def destinations(self, task):
        """Yield the concurrent futures that the result of a task will set."""
        for name, cells in self._callbacks(task):
            if name == "_call_set_state" and self.kind(cells.get("destination")) == "concurrent":
                yield cells["destination"]

    def requested(self, loop):
        """Yield the concurrent futures of run_coroutine_threadsafe() that have no task yet."""
        ready = _field(loop, "_ready")
        for handle in list(ready)[:_AWAITS_MAX] if type(ready) is collections.deque else ():
            function = _field(handle, "_callback")
            if (
                type(function) is types.FunctionType
                and function.__globals__ is self.tasks
                and function.__closure__
            ):
                future = _cells(function).get("future")
                if self.kind(future) == "concurrent":
                    yield future

    def completions(self, task):
        """Yield (queue, tasks) of each as_completed() that waits for a task, up to Python 3.12."""
        for name, cells in self._callbacks(task):
            if name == "_on_completion" and self.kind(cells.get("done")) == "queue":
                yield cells["done"], cells.get("todo")


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


class _Tasks:
    """Collects the tasks of all loops of all threads, and the objects that they wait for."""

    def __init__(self, frames, want):
        """frames: a function that returns the innermost frames of threads, by ident.

        want: a function that asks for source lines. Its arguments: code object, line numbers,
        globals.
        """
        self._frames, self._want = frames, want
        self._asyncio = _Asyncio()
        self._objects = {}  # {id: (object, kind)}
        self._loops, self._completions, self._results = {}, {}, []
        self._claims = {}  # {id of a lock: [(facts, hold)]}
        self.facts, self.missing = [], []

    def collect(self):
        now = _system.now()
        deadline = now + _TASKS_SECONDS
        tasks = self._asyncio.all_tasks()
        named = self._named(tasks, now + _TASKS_SECONDS / 2)
        named.sort(key=lambda each: each[:1] + each[2:3])
        for _, name, _, task in named[:_TASKS_MAX]:
            if _system.now() > deadline:
                break
            self.facts.append(self._facts_of(task, name))
        if len(self.facts) < len(tasks):
            self.missing.append(("tasks", f"there are {len(tasks)}, {len(self.facts)} were read"))
        for each in self.facts:
            self._complete(each)
        self._drop_moved()
        self._drop_released()

    def _named(self, tasks, deadline):
        """Return a list of (sort key, name, id, task). If there are many tasks, leaves some out."""
        found = []
        for each in tasks[: _TASKS_SORTED * _TASKS_MAX]:
            if len(found) >= _TASKS_MAX and _system.now() > deadline:
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
        if len(chain) >= _CHAIN_MAX:
            note = "coroutines", f"only the first {_CHAIN_MAX} of a task were read"
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
                self._add_calls(facts, [outer, *called[::-1][:_CHAIN_MAX]])
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
                self._release(facts, _field(known.first(referents, kind), "_lock"))
            if rule is None or (rule == "condition" and name == "lock"):
                rule, where = name, max(i - 1, 0)
                at = known.first(referents, kind) if kind else referents
                while where > 0 and known.facts_of(chain[where][1].f_code).code.co_name == (
                    "__aenter__"
                ):
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
        if i + 1 < len(chain) and chain[i + 1][1].f_code.co_name == "__aenter__":
            managers = managers[:-1]  # this block has not been entered yet
        # Not only this coroutine, but also the coroutines that it awaits may have released the
        # locks.
        is_doubtful = any(known.may_release(frame) for _, frame in chain[i:])
        for manager, line in zip(managers, lines):
            for each, may_release in known.inner_managers(manager, is_doubtful):
                kind = known.kind(each)
                if kind == "condition":
                    each = _field(each, "_lock")
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
        if _type_flags(type(manager)) & _HEAP_TYPE == 0:
            return False
        referents = gc.get_referents(manager)
        own = [each for each in referents if type(each) is dict]
        for each in referents + [value for names in own for value in names.values()]:
            if self._asyncio.kind(each) == "timer" and _field(each, "_cancelled") is not True:
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
            futures = [each for each in at if _is_of(each, set, frozenset, list, tuple)]
            futures = [each for each in futures if known.awaited_of(each)]
            targets = known.awaited_of(futures[0]) if futures else []
        elif rule == "wait-for":
            futures = [each for each in at if known.is_future(each) and each is not facts.waiter]
            targets = known.awaited_of(futures) or known.awaited(facts.waiter)
        elif rule == "group" and at is not None:
            targets = known.awaited_of(_field(at, "_tasks"))
        elif rule == "iterator" and at is not None:
            targets = known.awaited_of(_field(at, "_todo"))
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
        ident = _field(loop, "_thread_id")
        return ident if type(ident) is int else None

    def _threads_of_loops(self):
        """Return the idents of the threads that run loops, by the ids of the loops."""
        found = {key: self._thread_of(loop) for key, loop in self._loops.items()}
        # A loop that is not written in Python has no _run_once, and does not show its thread. If
        # there is only one such loop, and only one thread that is in asyncio.run() and runs none of
        # the other loops, then this thread runs this loop.
        unknown = [
            key for key, loop in self._loops.items() if _lookup(type(loop), "_run_once") is None
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
            kind = _type_name(type(future))
            found.append((name, "future", kind, None, (holder,), "known", ()))
        for key, loop in self._loops.items():
            holders = () if threads[key] is None else (f"thread:{threads[key]}",)
            status = "known" if holders else "not-known"
            name = f"loop:{key:#x}"
            found.append((name, "loop", _type_name(type(loop)), None, holders, status, ()))
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
            state = _field(thing, "_state")
            detail = (("state", state),) if type(state) is str else ()
        name = f"obj:{id(thing):#x}"
        return (name, kind, _type_name(type(thing)), None, tuple(holders), status, detail)

    def _is_locked(self, thing):
        """Return whether a lock is locked; None if the object is not a lock."""
        if type(thing) is _thread.LockType:
            return thing.locked()
        if self._asyncio.kind(thing) == "lock":
            return _field(thing, "_locked") is True
        return None


def _want_nothing(_code, _lines, _names):
    """Ask for no source lines."""


def _type_name(cls):
    """Return the name of a class with its module, without code of a metaclass."""
    module, name = _attempt(lambda: _class_module(cls)), _class_name(cls)
    return sendable(f"{module}.{name}" if type(module) is str else name)


def _is_in_asyncio_run(frame):
    """True if `frame` or one of its callers is in the module asyncio.runners, such as run()."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "asyncio.runners":
            return True
        frame = frame.f_back
    return False


# ---- The answer ----------------------------------------------------------------------------------


class Answer:
    """The threads, greenlets and tasks of this process. This object keeps no frames alive."""

    def __init__(self, flags, budget_ms=BUDGET_MS, caller=None):
        """flags and budget_ms: see collect(). caller: see threads()."""
        self._time = _system.time()
        seconds, now = max(0, budget_ms) / 1000, _system.now()
        self._flags = flags
        # The titles get the first half of the time, and the source gets the rest.
        self._titles = _Titles(now + (seconds / 2 if flags & SOURCE else seconds))
        self._sources = Sources(now + seconds)
        self._threads, self._greenlets = [], []
        self._items, self._made = [], {}
        self._main = None
        _forget_dummies()
        self._collect_threads(caller)
        if flags & GREENLETS:
            self._collect_greenlets()
        self._tasks, self._objects, self._missing = None, None, []
        if flags & TASKS:
            self._collect_tasks(caller)

    def _calls(self, frame):
        """Return (file, line, function, qualified name) of each call, the outermost first."""
        found = []
        while frame is not None:
            code, number = frame.f_code, frame.f_lineno
            qualname = getattr(code, "co_qualname", None)
            found.append((_plain(code.co_filename), number, code.co_name, qualname))
            if self._flags & SOURCE:
                self._sources.want(code, (number,), frame.f_globals)
            frame = frame.f_back
        return found[::-1]

    def _collect_threads(self, caller):
        found = [(ident, thread, self._calls(frame)) for ident, thread, frame in threads(caller)]
        still_there = list(_reader_of_frames()())
        self._main = _main_ident(still_there)
        still_there = set(still_there)
        for ident, thread, called in found:
            # A helper thread that has just begun is not in the registry yet. It is recognized by
            # the name of its function.
            if ident in still_there and called[0][2] != "pystuck_run_aside":
                self._threads.append((ident, thread, called))
                self._titles.add(thread)

    def _collect_greenlets(self):
        for thing, frame in greenlets():
            self._greenlets.append((thing, self._calls(frame)))
            self._titles.add(thing)

    def _collect_tasks(self, caller):
        want = self._sources.want if self._flags & SOURCE else _want_nothing
        found = _Tasks(lambda: _frames(caller), want)
        found.collect()
        # The frames are made into tuples later, when the source lines are known. No reference to a
        # task is kept until then.
        self._tasks = [(each.calls, found.task_tuple(each)) for each in found.facts]
        self._objects, self._missing = found.objects(), found.missing

    def finish(self):
        """Make the calls that may block."""
        if self._flags & REPR:
            self._items += self._titles.items()
        if self._flags & SOURCE:
            self._items += self._sources.items()
        _call_all(self._items)

    def _title(self, ident, thing):
        return self._titles.of(ident, thing) if self._flags & REPR else (None, "skipped")

    def _frame_tuple(self, file, number, function, qualname):
        source, status = None, "skipped"
        if self._flags & SOURCE:
            source, status = self._sources.line(file, number)
            source = source and sendable(source.strip()) or None
            if status == "ok" and source is None:
                status = "error"
        made = (
            sendable(file),
            number,
            sendable(function),
            qualname and sendable(qualname),
            source,
            status,
        )
        self._made[file, number, function, qualname] = made
        return made

    def _frame_tuples(self, called):
        made = self._made
        return tuple([made.get(each) or self._frame_tuple(*each) for each in called])

    def _thread_tuple(self, ident, thread, called):
        name = _own(thread, "_name", str)
        text, status = self._title(ident, thread)
        return (
            f"thread:{ident}",
            ident,
            _own(thread, "_native_id", int),
            None,  # interpreter
            name if name is None else sendable(name),
            None if name is None else "threading",
            _own(thread, "_daemonic", bool),
            ident == self._main,
            text,
            status,
            None,  # state
            None,  # cpu
            None,  # exact
            None,  # unchanged_ms
            self._frame_tuples(called),
        )

    def _greenlet_tuple(self, thing, called):
        text, status = self._title(0, thing)
        return (
            f"greenlet:{id(thing):#x}",
            text,
            status,
            None,  # name
            None,  # parent
            None,  # thread
            self._frame_tuples(called),
        )

    def missing(self):
        """Return what is missing because calls were not made, as tuples (what is missing, why)."""
        found = {
            ("source" if item.key[0] == "file" else item.key[0], item.why)
            for item in self._items
            if item.status == "skipped"
        }
        return tuple(sorted(found) + self._missing)

    def threads(self):
        return tuple([self._thread_tuple(*each) for each in self._threads])

    def greenlets(self):
        return tuple([self._greenlet_tuple(*each) for each in self._greenlets])

    def tasks(self):
        if self._tasks is None:
            return None
        return tuple(
            [(*task[:6], self._frame_tuples(calls), *task[7:]) for calls, task in self._tasks]
        )

    def process(self):
        """Return the whole answer: see collect()."""
        node = _attempt(lambda: sendable(_system.uname().nodename))
        pid = _system.getpid()
        return (
            SCHEMA,
            self._time,
            None,  # tool
            node and f"{pid}@{node}",
            pid,
            _system.getppid(),
            node,
            None,  # name
            None,  # labels
            sys.version.split()[0],
            _arguments(),
            _attempt(lambda: sendable(_system.readlink("/proc/self/exe"))),
            None,  # started
            "server",
            self.missing(),
            None,  # shortage
            None,  # gil
            self.threads(),
            self.greenlets(),
            self.tasks(),
            self._objects,
        )


def _argument(value):
    """Return an item of sys.argv as text, without running code of the item."""
    if issubclass(type(value), str):
        return sendable(str.__str__(value))
    is_plain = _is_of(value, int, float, bool, bytes, type(None))
    return repr(value) if is_plain else sendable(object.__repr__(value))


def _arguments():
    argv = vars(sys).get("argv")
    return tuple([_argument(each) for each in argv]) if type(argv) is list else ()


def begin(flags, budget_ms=BUDGET_MS, own_thread=False):
    """Collect all that needs no code and no file of the program. Returns an Answer.

    The arguments are those of collect().
    """
    with _Untraced():
        return Answer(flags, budget_ms, [globals()] if own_thread else None)


def finish(answer):
    """Make the calls that may block, and return what collect() returns."""
    with _Untraced():
        answer.finish()
        return answer.process()


def collect(flags, budget_ms=BUDGET_MS, own_thread=False):
    """Return all that is known about this process, as a tuple of plain values.

    flags: a sum of REPR, SOURCE, GREENLETS and TASKS. budget_ms: the time for all calls that may
    block. own_thread: also collect the calling thread, without the frames of this module.
    The members are those of report/schema.c in the pystuck sources, in that order. Structs and
    lists are tuples, and unknown values are None. Unknown members at the end are left out.
    """
    return finish(begin(flags, budget_ms, own_thread))
