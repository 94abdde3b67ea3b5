"""Collects all threads, greenlets and their frames as plain tuples.

This module is a part of the package. The client also sends its source to servers that have no
pystuck. So it must run in Python 3.6 and must not import other modules of pystuck. After it has
been loaded, it imports nothing: the program may be stuck with the import lock taken. The other
rules for running in a program that is stuck:

* threading._active is read without the lock that threading.enumerate() takes. It is read before and
  after the frames, so that a thread which starts or ends meanwhile keeps its name.
* A thread that has ended by the time its frames have been read is left out: it was not stuck.
* The frame of this module's own function is recognized by its code and not by get_ident(), which
  gevent replaces. No variable keeps this frame: it would be in a reference cycle, which would keep
  the frames of all threads alive.
* Greenlets are found without running code of the program. So isinstance() is not used: it reads the
  __class__ of an object, which may be a remote object.
* If an object cannot be shown (its __repr__ or its module's loader raises), only one title or one
  source line is missing in the answer.
* Lone surrogates, which a file's name may contain, are escaped: stock rpyc closes the connection
  when it has to send one.
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
    """The innermost frame that does not belong to this module."""
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _frames(with_caller):
    """The innermost frame of each thread of the program, by ident."""
    own = sys._getframe().f_code
    # Comprehensions: a local variable with the frame of this function would be a reference cycle
    # that keeps all frames alive.
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
        if frame is not None:  # else the greenlet is running, and its thread has the frame
            yield thing, frame


def title(thing):
    """Return (text, status): the repr() of a thread or greenlet, and "ok" or "error"."""
    try:
        return sendable(repr(thing)), "ok"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = f"{object.__repr__(thing)} (its repr raised {type(error).__name__})"
        return sendable(text), "error"


def thread_title(ident, thread):
    """Return title() for an (ident, thread object) of threads()."""
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
    """Reads source lines. Checks only once whether a file has changed."""

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
    """An attribute of threading.Thread, not of a subclass; None if its type is not `kind`."""
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
