"""Which threads and greenlets there are, their innermost frames, and their titles.

Threads, names and titles are read from threading._active and from the thread objects' own dicts,
without a lock, a property or a method of a subclass. Greenlets are found by their type, not with
isinstance(), which reads __class__. If repr() of a thread may run code of the program, it is a call
that may block: see _blocking_calls.

No variable refers to the frame of a function of this module. Such a frame would be in a reference
cycle, which would keep the frames of all threads alive.

A part of the collector: see _stacks.
"""

import _thread
import functools
import gc
import sys
import threading
import types

from ._blocking_calls import BUDGET_MS, Item, call_all, helper_idents
from ._without_code import (
    attempt,
    class_dict,
    class_name,
    is_built_in,
    mro,
    names_of,
    own_dict,
    own_field,
    sendable,
    system,
)


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
    """Return the first frame outside of some modules: the frame that has called these modules.

    frame: a frame that the modules have called, directly or through others. modules: a list of the
    modules' globals. If no other frame has called the modules, returns the outermost frame.
    """
    has_met = False
    while frame.f_back is not None:
        is_own = any(frame.f_globals is each for each in modules)
        if has_met and not is_own:
            break
        has_met = has_met or is_own
        frame = frame.f_back
    return frame


def innermost_frames(caller):
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
    for ident in attempt(lambda: sys.modules["_pystuck"].own_threads(), ()):
        frames.pop(ident, None)
    for ident in helper_idents():
        frames.pop(ident, None)
    return frames


def main_ident(idents):
    """Return the ident of the main thread. idents: a list of all idents, in Python's order."""
    ident = own_field(vars(threading).get("_main_thread"), "_ident", int)
    if ident in idents:
        return ident
    if system.main_ident is not None:
        return system.main_ident()
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
    modules that have called this function, directly or through others. The result then has the
    frame of the calling thread that has called these modules.
    """
    known = known_threads()
    frames = innermost_frames(caller)
    known.update(known_threads())
    main = main_ident(list(frames))
    if main in frames and main not in known:
        known[main] = vars(threading).get("_main_thread")
    order = dict.fromkeys([main] + list(known) + list(frames))
    return [(ident, known.get(ident), frames[ident]) for ident in order if ident in frames]


def alive():
    """Return a list of the idents of the threads that have not ended, in Python's order."""
    return list(_reader_of_frames()())


def greenlets():
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and is not running.

    The greenlets are in the order of their addresses, because the order in the garbage collector
    changes.
    """
    base = names_of("greenlet").get("greenlet")
    if not isinstance(base, type):
        return
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), base)]
    for thing in sorted(found, key=id):
        frame = base.gr_frame.__get__(thing) if base.__bool__(thing) else None
        if frame is not None:  # else the greenlet is running, and its thread has the frame
            yield thing, frame


#: The names that Thread.__repr__ looks up in a thread object. If a subclass defines one of these
#: names, its objects may have another repr().
_LOOKED_UP = (
    "__repr__ __getattribute__ __getattr__ __class__ __dict__ _initialized _started is_alive"
    " _is_stopped _handle _os_thread_handle _daemonic _ident _name"
).split()


def _has_plain_repr(cls):
    """True if repr() of a thread of this class runs only code of threading and C."""
    bases = mro(cls)
    if type(cls) is not type or system.thread not in bases:
        return False
    repr_now = class_dict(system.thread).get("__repr__")
    if repr_now is None or repr_now is not system.thread_repr:
        return False
    others = [
        class_dict(base) for base in bases if base not in (system.thread, system.dummy, object)
    ]
    return not any(name in names for names in others for name in _LOOKED_UP)


def _is_plain_greenlet(thing):
    """True if `thing` is a greenlet whose repr() runs only code of the C module greenlet."""
    base = names_of("greenlet").get("greenlet")
    return type(thing) is base and is_built_in(base)


def _plain_title(thread):
    """Return the repr() of a thread or greenlet; None if repr() could run code of the program."""
    if _is_plain_greenlet(thread):
        return repr(thread)
    cls, own = type(thread), own_dict(thread)
    name, ident, daemon = own.get("_name"), own.get("_ident"), own.get("_daemonic")
    word = class_name(cls)
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
    if handle is not None and type(handle) is system.handle:
        return handle.is_done()
    return own.get("_is_stopped") is True


def _failed_title(thing, words):
    """Return a title for a thread or greenlet without a usable repr(). words: the reason."""
    name = own_field(thing, "_name", str)
    head = f"({name})" if name is not None else f" at {id(thing):#x}"
    return sendable(f"<{class_name(type(thing))}{head}: {words}>")


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


class Titles:
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
            item = Item(("repr", id(thing)), type(thing), call, self._deadline)
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
    found = Titles(system.now() + BUDGET_MS / 1000)
    for _, thread in threads:
        found.add(thread)
    call_all(found.items())
    return {ident: found.of(ident, thread)[0] for ident, thread in threads}
