"""The one collector of threads, greenlets and their frames, as plain tuples.

Part of the package, and sent as source to servers that have no pystuck: Python 3.6, nothing of
pystuck's is imported, and no module is imported once this one has been loaded, for the import lock
may be what the program is stuck on. The rest of what a stuck program needs:

* threading._active is read without the lock that threading.enumerate() takes. It is read before and
  after the frames, so that a thread which starts or ends meanwhile keeps its name.
* A thread that has ended by the time its frames have been read is left out: it was not stuck.
* The frame that runs this is told by its code and not by get_ident(), which gevent replaces. It is
  not kept: it would keep itself alive, and all other threads' frames with it.
* Greenlets are found without running code of the program: isinstance() asks an object for its
  __class__, which may be a remote one.
* An object that cannot be shown (its __repr__ or its module's loader raises) costs one title or one
  source line, not the whole answer.
* Lone surrogates, which a file's name may contain, are escaped: stock rpyc hangs up rather than
  send one.
"""

import gc
import linecache
import os
import sys
import threading
import time

#: The version of the tuples: see collect().
SCHEMA = 2

# What collect() is asked for, beside the bare stacks; a sum of these.
REPR = 1  #: repr() of threads and greenlets
SOURCE = 2  #: source lines
GREENLETS = 8  #: greenlets; all objects that the garbage collector knows are looked through


def sendable(text):
    """The text with lone surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _attempt(function, otherwise=None):
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise


def known_threads():
    """Thread objects by ident."""
    try:
        return dict(threading._active)
    except AttributeError:
        return {thread.ident: thread for thread in threading.enumerate()}


def _outside(frame):
    """The innermost frame that is not one of this module's."""
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _frames(with_caller):
    """The innermost frame of each thread of the program, by ident."""
    own = sys._getframe().f_code
    # In comprehensions: a variable with this very frame would keep all frames alive.
    frames = {
        ident: frame if frame.f_code is not own else _outside(frame) if with_caller else None
        for ident, frame in sys._current_frames().items()
    }
    frames = {ident: frame for ident, frame in frames.items() if frame is not None}
    for ident in _attempt(lambda: sys.modules["_pystuck"].own_threads(), ()):
        frames.pop(ident, None)
    return frames


def threads(with_caller=False):
    """A list of (ident, thread object or None, innermost frame), the main thread first.

    The thread object is None for a thread that was not started by threading. Threads of a pystuck
    server are left out, and without with_caller also the calling thread: with a stock server it
    does nothing but serve this request.
    """
    known = known_threads()
    frames = _frames(with_caller)
    known.update(known_threads())
    main = threading.main_thread().ident
    order = dict.fromkeys([main] + list(known) + list(frames))
    return [(ident, known.get(ident), frames[ident]) for ident in order if ident in frames]


def alive():
    """The idents of the threads that have not ended."""
    return set(sys._current_frames())


def greenlets():
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and is not running."""
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    if not isinstance(base, type):
        return
    for thing in [thing for thing in gc.get_objects() if issubclass(type(thing), base)]:
        frame = base.gr_frame.__get__(thing) if base.__bool__(thing) else None
        if frame is not None:  # else it is its thread's
            yield thing, frame


def title(thing):
    """(the repr() of a thread or greenlet, whether that is "ok" or an "error")"""
    try:
        return sendable(repr(thing)), "ok"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = f"{object.__repr__(thing)} (its repr raised {type(error).__name__})"
        return sendable(text), "error"


def thread_title(ident, thread):
    """The same for a thread of threads()."""
    if thread is None:
        return f"<thread {ident} (not started by threading)>", "ok"
    return title(thread)


def calls(frame):
    """A list of a frame and its callers, the outermost first."""
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


class _Sources:
    """Source lines, each file looked at once."""

    def __init__(self):
        self._checked = set()

    def line(self, frame):
        name = frame.f_code.co_filename
        if name not in self._checked:
            self._checked.add(name)
            linecache.checkcache(name)
        return sendable(linecache.getline(name, frame.f_lineno, frame.f_globals).strip()) or None


def _frame_tuple(frame, sources):
    code = frame.f_code
    qualname = getattr(code, "co_qualname", None)
    source = _attempt(lambda: sources.line(frame)) if sources else None
    return (
        sendable(code.co_filename),
        frame.f_lineno,
        sendable(code.co_name),
        qualname and sendable(qualname),
        source,
        ("ok" if source else "error") if sources else "skipped",
    )


def _frame_tuples(frame, sources):
    return tuple([_frame_tuple(each, sources) for each in calls(frame)])


def _thread_attribute(thread, name, kind):
    """An attribute of a thread object, read past subclasses; None if it is not of that type."""
    value = _attempt(lambda: getattr(threading.Thread, name).__get__(thread))
    return value if type(value) is kind else None


def _thread_tuple(ident, thread, frame, main, flags, sources):
    name = daemon = native = None
    if thread is not None:
        name = _thread_attribute(thread, "name", str)
        daemon = _thread_attribute(thread, "daemon", bool)
        native = _thread_attribute(thread, "native_id", int)
    text, status = thread_title(ident, thread) if flags & REPR else (None, "skipped")
    return (
        f"thread:{ident}",
        ident,
        native,
        None,  # interpreter
        name if name is None else sendable(name),
        None if name is None else "threading",
        daemon,
        ident == main,
        text,
        status,
        None,  # state
        None,  # cpu
        None,  # exact
        None,  # unchanged_ms
        _frame_tuples(frame, sources),
    )


def _greenlet_tuple(thing, frame, flags, sources):
    text, status = title(thing) if flags & REPR else (None, "skipped")
    return (
        f"greenlet:{id(thing):#x}",
        text,
        status,
        None,  # name
        None,  # parent
        None,  # thread
        _frame_tuples(frame, sources),
    )


def _thread_tuples(flags, sources):
    main = threading.main_thread().ident
    found = [
        (ident, _thread_tuple(ident, thread, frame, main, flags, sources))
        for ident, thread, frame in threads()
    ]
    still_there = alive()
    return tuple([each for ident, each in found if ident in still_there])


def collect(flags):
    """All that is known about this process, as a tuple of plain values.

    flags: a sum of REPR, SOURCE and GREENLETS. The members are those of report/shape.c in the
    pystuck sources, in that order: structs and lists are tuples, what is not known is None, and
    members at the end that are not known are left out.
    """
    sources = _Sources() if flags & SOURCE else None
    node = _attempt(lambda: sendable(os.uname().nodename))
    found = _thread_tuples(flags, sources)
    suspended = ()
    if flags & GREENLETS:
        suspended = tuple([_greenlet_tuple(g, f, flags, sources) for g, f in greenlets()])
    return (
        SCHEMA,
        time.time(),
        None,  # tool
        node and f"{os.getpid()}@{node}",
        os.getpid(),
        os.getppid(),
        node,
        None,  # name
        None,  # labels
        sys.version.split()[0],
        tuple([sendable(str(each)) for each in getattr(sys, "argv", ())]),
        _attempt(lambda: sendable(os.readlink("/proc/self/exe"))),
        None,  # started
        "server",
        None,  # missing
        None,  # shortage
        None,  # gil
        found,
        suspended,
    )
