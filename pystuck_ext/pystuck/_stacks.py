"""Collects all threads, greenlets, tasks and their frames as plain tuples.

This module and those that it imports from this package, directly or through others, are the
collector. The modules are parts of the package. The client also sends the source of all parts,
joined into one file without the lines that import a part, to servers that have no pystuck. So the
parts must run in Python 3.6, must import no other modules of pystuck, and must import only names.
A global name must have one meaning in all parts. After the collector has been loaded, it imports
nothing, because the program may be stuck while it holds an import lock.

An answer is made in two steps:

* The first step collects everything that can be collected without running code of the program and
  without reading files.
* The second step makes the calls that may block: see _blocking_calls.

Other rules for running in a program that is stuck:

* threading._active is read before and after the frames. So the name of a thread is known even if
  the thread was added to _active or removed from it in between. At the end of the first step,
  threads that no longer exist are left out, because they were not stuck.
* No variable refers to the frame of a function of the collector. Such a frame would be in a
  reference cycle, which would keep the frames of all threads alive.
* Lone surrogates, which a file name may contain, are escaped: stock rpyc closes the connection if
  it has to send a lone surrogate.
"""

import functools
import sys

from ._asyncio_tasks import Tasks
from ._blocking_calls import BUDGET_MS, call_all, forget_dummies
from ._greenlets import Greenlets
from ._source_lines import Sources
from ._threads import Titles, alive, innermost_frames, main_ident, threads
from ._trio_tasks import TrioTasks
from ._without_code import (
    Untraced,
    attempt,
    class_name,
    is_of,
    names_of_code,
    own_field,
    sendable,
    system,
)

#: The version of the tuples: see collect().
SCHEMA = 2

# Flags of collect(): what it collects besides the bare stacks. Flags may be added up.
REPR = 1  #: repr() of threads and greenlets
SOURCE = 2  #: source lines
#: The flag 4 asks a pystuck server for local variables. This module does not collect them.
GREENLETS = 8  #: greenlets; this looks through all objects that the garbage collector knows
TASKS = 16  #: tasks of asyncio


def _want_nothing(_code, _lines, _names):
    """Do nothing: used in place of a function that asks for source lines."""


class Answer:
    """The threads, greenlets and tasks of this process. This object keeps no frames alive."""

    def __init__(self, flags, budget_ms=BUDGET_MS, caller=None):
        """flags and budget_ms: see collect(). caller: see threads()."""
        self._time = system.time()
        seconds, now = max(0, budget_ms) / 1000, system.now()
        self._flags = flags
        # The titles get the first half of the time, and the source gets the rest.
        self._titles = Titles(now + (seconds / 2 if flags & SOURCE else seconds))
        self._sources = Sources(now + seconds)
        self._threads, self._greenlets = [], []
        self._items, self._made = [], {}
        self._main = None
        forget_dummies()
        # Not a lambda: its frame would be a frame of this module between frames of other parts of
        # the collector, so that _outside() would return the wrong frame.
        self._frames = functools.partial(innermost_frames, caller)
        self._collect_threads(caller)
        self._tasks, self._objects, self._missing = None, None, []
        if flags & GREENLETS:
            self._try("greenlets", self._collect_greenlets)
        if flags & TASKS:
            self._try("tasks", self._collect_tasks)
            self._try("tasks of trio", self._collect_trio_tasks)

    def _calls(self, frame):
        """Return (file, line, function, qualified name) of each call, the outermost first."""
        found = []
        while frame is not None:
            code, number = frame.f_code, frame.f_lineno
            file, *names = names_of_code(code)
            found.append((file, number, *names))
            if self._flags & SOURCE:
                self._sources.want(code, (number,), frame.f_globals)
            frame = frame.f_back
        return found[::-1]

    def _collect_threads(self, caller):
        found = [(ident, thread, self._calls(frame)) for ident, thread, frame in threads(caller)]
        still_there = alive()
        self._main = main_ident(still_there)
        still_there = set(still_there)
        for ident, thread, called in found:
            # A helper thread that has just begun is not in the registry yet. It is recognized by
            # the name of its function.
            if ident in still_there and called[0][2] != "pystuck_run_aside":
                self._threads.append((ident, thread, called))
                self._titles.add(thread)

    def _try(self, what, collect):
        """Call a function that collects more than threads. If it fails, the threads remain."""
        try:
            collect()
        except Exception as error:
            self._missing.append((what, f"collecting them failed: {class_name(type(error))}"))

    def _collect_greenlets(self):
        found = Greenlets(self._frames)
        found.collect()
        made = [(each, found.greenlet_tuple(each), self._calls(each.frame)) for each in found.facts]
        self._objects = found.objects()
        for facts, greenlet, calls in made:
            self._titles.add(facts.greenlet)
            self._greenlets.append((facts.greenlet, greenlet, calls))
        self._missing += found.missing

    def _want(self):
        return self._sources.want if self._flags & SOURCE else _want_nothing

    def _collect_tasks(self):
        found = Tasks(self._frames, self._want())
        found.collect()
        # The frames are made into tuples later, when the source lines are known. No reference to a
        # task is kept until then.
        tasks = [(each.calls, found.task_tuple(each)) for each in found.facts]
        self._objects = (self._objects or ()) + found.objects()
        self._tasks = tasks
        self._missing += found.missing

    def _collect_trio_tasks(self):
        found = TrioTasks(self._frames, self._want())
        found.collect()
        tasks = found.tasks()
        self._objects = (self._objects or ()) + found.objects()
        if tasks:
            self._tasks = (self._tasks or []) + tasks
        self._missing += found.missing

    def finish(self):
        """Make the calls that may block."""
        if self._flags & REPR:
            self._items += self._titles.items()
        if self._flags & SOURCE:
            self._items += self._sources.items()
        call_all(self._items)

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
        name = own_field(thread, "_name", str)
        text, status = self._title(ident, thread)
        return (
            f"thread:{ident}",
            ident,
            own_field(thread, "_native_id", int),
            None,  # interpreter
            name if name is None else sendable(name),
            None if name is None else "threading",
            own_field(thread, "_daemonic", bool),
            ident == self._main,
            text,
            status,
            None,  # state
            None,  # cpu
            None,  # exact
            None,  # unchanged_ms
            self._frame_tuples(called),
        )

    def _greenlet_tuple(self, thing, made, called):
        text, status = self._title(0, thing)
        return (made[0], text, status, *made[3:6], self._frame_tuples(called), *made[7:])

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
        node = attempt(lambda: sendable(system.uname().nodename))
        pid = system.getpid()
        return (
            SCHEMA,
            self._time,
            None,  # tool
            node and f"{pid}@{node}",
            pid,
            system.getppid(),
            node,
            None,  # name
            None,  # labels
            sys.version.split()[0],
            _arguments(),
            attempt(lambda: sendable(system.readlink("/proc/self/exe"))),
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
    is_plain = is_of(value, int, float, bool, bytes, type(None))
    return repr(value) if is_plain else sendable(object.__repr__(value))


def _arguments():
    argv = vars(sys).get("argv")
    return tuple([_argument(each) for each in argv]) if type(argv) is list else ()


def begin(flags, budget_ms=BUDGET_MS, own_thread=False):
    """Collect what can be collected without running code of the program or reading its files.

    Returns an Answer.

    The arguments are those of collect().
    """
    with Untraced():
        return Answer(flags, budget_ms, [globals()] if own_thread else None)


def finish(answer):
    """Make the calls that may block, and return what collect() returns."""
    with Untraced():
        answer.finish()
        return answer.process()


def collect(flags, budget_ms=BUDGET_MS, own_thread=False):
    """Return all that is known about this process, as a tuple of plain values.

    flags: a sum of REPR, SOURCE, GREENLETS and TASKS. budget_ms: the time for all calls that may
    block. own_thread: also collect the calling thread, without the frames of the collector.
    The members are those of report/schema.c in the pystuck sources, in that order. Structs and
    lists are tuples, and unknown values are None. Unknown members at the end are left out.
    """
    return finish(begin(flags, budget_ms, own_thread))
