"""Collects greenlets: their names and parents, what they wait for, and which locks they hold.

A part of the collector: see _stacks.
"""

import _thread
import types

from ._asyncio_fields import line_starts
from ._gevent_objects import Gevent
from ._threads import known_threads
from ._without_code import (
    as_str,
    attempt,
    class_name,
    field,
    lookup,
    methods_of,
    module_name,
    names_of,
    own_dict,
    read_frames,
    sendable,
    system,
    type_name,
)

#: The methods that wait for their first argument, self: (module, class, methods, kind of the wait).
_WAITING_FUNCTIONS = (
    ("threading", "Condition", "wait wait_for", "condition"),
    ("threading", "Event", "wait", "event"),
    ("threading", "Semaphore", "acquire", "semaphore"),
    ("threading", "Barrier", "_wait wait", "barrier"),
    ("threading", "Thread", "join _wait_for_tstate_lock", "thread"),
    ("queue", "Queue", "get", "queue-get"),
    ("queue", "Queue", "put", "queue-put"),
    ("queue", "Queue", "join", "queue-join"),
    ("concurrent.futures._base", "Future", "result exception", "future"),
)

_FRAMES_MAX = 100000  #: the most frames from which waits and locks are read
_NAMED_MAX = 3  #: how many greenlets are named if one greenlet waits for several of them


def _waiting_codes():
    """Return {id of a code object: (kind, function)} for _WAITING_FUNCTIONS."""
    return {
        id(function.__code__): (kind, function)
        for function, kind, _ in methods_of(_WAITING_FUNCTIONS)
        if type(function) is types.FunctionType
    }


def _line_of(code, offset):
    """Return the line of an instruction; None if it is not known."""
    lines = [line for start, line in line_starts(code) if start <= offset]
    return lines[-1] if lines else None


class _GreenletFacts:
    """A greenlet, and what is known about it."""

    def __init__(self, greenlet, frame):
        self.greenlet, self.frame = greenlet, frame
        self.last = frame.f_lasti
        self.name = self.thread = self.wait = None
        self.claims = []  # (lock, frame number, file, line, certainty)

    def ident(self):
        return f"greenlet:{id(self.greenlet):#x}"


def _frames_of(frame):
    """Return a list of a frame and its callers, the innermost first."""
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


class Greenlets:
    """Collects the greenlets of all threads, and the objects for which they wait."""

    def __init__(self, frames):
        """frames: a function that returns the innermost frames of threads, by ident."""
        self._frames = frames
        self._gevent = Gevent()
        self._codes = _waiting_codes()
        self._threads = known_threads()
        self._hubs = {}  # {id of a hub: (hub, ident of its thread)}
        self._roots = {}  # {id of the main greenlet of a thread: ident of the thread}
        self._objects = {}  # {id: (object, kind)}
        self._claims = {}  # {id of a lock: [(holder, claim)]}
        self.facts, self.missing = [], []

    def collect(self):
        known = self._gevent
        if known.base is None:
            return
        waits, greenlets = known.waits(), known.greenlets()
        for each in greenlets:
            frame = known.frame(each)
            if frame is not None:  # else the greenlet is running, and its thread has the frame
                self.facts.append(_GreenletFacts(each, frame))
        self._find_hubs(greenlets)
        for each in self.facts:
            each.thread = self._thread_of(each.greenlet)
            each.name = self._name_of(each.greenlet, each.thread, each.frame)
        self.facts.sort(key=lambda each: (each.name, id(each.greenlet)))
        self._read_frames(waits)
        self._drop_moved()
        self._add_claims()

    # -- Names and threads --

    def _find_hubs(self, greenlets):
        for each in greenlets:
            is_hub = self._gevent.kind(each) == "hub"
            ident = self._gevent.names(each).get("thread_ident") if is_hub else None
            if type(ident) is int and self._gevent.base.__bool__(each):
                self._hubs[id(each)] = each, ident
                self._roots[id(self._gevent.parent(each))] = ident

    def _thread_of(self, greenlet):
        """Return the ident of the thread of a greenlet; None if it is not known."""
        for _ in range(100):
            if greenlet is None:
                return None
            if id(greenlet) in self._roots:
                return self._roots[id(greenlet)]
            greenlet = self._gevent.parent(greenlet)
        return None

    def _thread_name(self, ident):
        name = own_dict(self._threads.get(ident)).get("_name")
        return as_str(name) if issubclass(type(name), str) else f"thread {ident}"

    def _name_of(self, greenlet, ident, frame):
        """Return the name of a greenlet. A greenlet without a name gets that of its function.

        ident: the ident of its thread, or None. frame: its innermost frame; None: it is running.
        """
        name = self._gevent.names(greenlet).get("name")
        if not issubclass(type(name), str):
            name = lookup(type(greenlet), "name")
        thread = self._threads.get(id(greenlet))  # if gevent has patched threading
        if not issubclass(type(name), str) and type(thread) is not system.dummy:
            name = own_dict(thread).get("_name")
        if issubclass(type(name), str) and as_str(name):
            return as_str(name)
        if id(greenlet) in self._hubs:
            return f"hub of {self._thread_name(ident)}"
        if self._gevent.parent(greenlet) is None:
            place = "" if ident is None else f" of {self._thread_name(ident)}"
            return f"main greenlet{place}"
        function = self._gevent.names(greenlet).get("_run")
        code = _frames_of(frame)[-1].f_code if frame is not None else None
        if code is None and type(function) is types.FunctionType:
            code = function.__code__
        word = as_str(code.co_name) if code is not None else class_name(type(greenlet))
        return f"{word} at {id(greenlet):#x}"

    # -- What greenlets wait for, and what they hold --

    def _read_frames(self, waits):
        """Set the waits and claims of all greenlets, and the claims of threads that have a hub."""
        stacks = [_frames_of(each.frame) for each in self.facts]
        idents = [ident for _, ident in self._hubs.values()]
        threads = [(ident, frame) for ident, frame in self._frames().items() if ident in idents]
        stacks += [_frames_of(frame) for _, frame in threads]
        frames = [frame for stack in stacks for frame in stack]
        if len(frames) > _FRAMES_MAX:
            why = f"there are {len(frames)} frames, but only {_FRAMES_MAX} were read"
            self.missing.append(("waits of greenlets", why))
        objects = read_frames(frames[:_FRAMES_MAX])
        objects += [None] * (len(frames) - len(objects))
        at = 0
        for i, stack in enumerate(stacks):
            part = objects[at : at + len(stack)]
            at += len(stack)
            if i < len(self.facts):
                facts = self.facts[i]
                self._set_wait(facts, stack, part, waits.get(id(facts.greenlet), []))
                facts.claims = self._claims_of(stack, part)
            else:
                holder = f"thread:{threads[i - len(self.facts)][0]}"
                for claim in self._claims_of(stack, part):
                    self._add_claim(holder, claim)

    @staticmethod
    def _argument(part, i):
        """Return the first argument of the frame i, or None."""
        return part[i][0][0] if part[i] is not None and part[i][0] else None

    @staticmethod
    def _is_in(frame, *modules):
        """True if a frame is in one of these top-level modules, or in one of these packages."""
        return module_name(frame.f_globals).partition(".")[0] in modules

    def _skip(self, stack, *modules):
        """Return the index of the innermost frame that is in none of these modules and packages.

        If there is no such frame, returns the index of the outermost frame.
        """
        for i, frame in enumerate(stack):
            if not self._is_in(frame, *modules):
                return i
        return len(stack) - 1

    def _in_library(self, stack, part, targets):
        """Return (frame, kind, object or None) of a wait in a function of the standard library.

        Returns None if the greenlet waits in no such function. Also returns None if the greenlet
        waits in Condition.wait() for the lock of the Condition: this is a wait for the lock.
        """
        at, found = self._skip(stack, "gevent"), None
        condition = self._argument(part, at)
        if any(field(condition, "_lock") is each for each, _ in targets):
            return None
        while at < len(stack) and id(stack[at].f_code) in self._codes:
            kind = self._codes[id(stack[at].f_code)][0]
            found, at = (min(at + 1, len(stack) - 1), kind, self._argument(part, at)), at + 1
        return found

    def _set_wait(self, facts, stack, part, pairs):
        timed = any(kind in ("timer", "timeout") for _, kind in pairs)
        targets = [each for each in pairs if each[1] not in ("timeout", "timer", "watcher")]
        if any(kind == "callback" for _, kind in pairs):
            facts.wait = None, "hub", None, 0, False
            return
        library = self._in_library(stack, part, targets)
        at = self._skip(stack, "gevent", "threading")
        if library is not None and (pairs or facts.thread is not None):
            at, kind, thing = library
            targets = [(thing, kind)]
        frame = len(stack) - 1 - at
        if len(targets) == 1:
            facts.wait = (*self._wait_for(*targets[0]), frame, timed)
        elif targets:
            are_greenlets = all(kind == "greenlet" for _, kind in targets)
            words, kind = self._words_of(targets), "greenlet" if are_greenlets else "several"
            facts.wait = None, kind, words, frame, timed
        elif pairs:
            facts.wait = (*self._wait_in_loop(pairs[0]), frame, timed)

    def _wait_for(self, thing, kind):
        """Return (id, kind, words) of a wait. thing: the object; None if it is not known."""
        if thing is None:
            return None, kind, None
        if kind == "greenlet":
            return f"greenlet:{id(thing):#x}", kind, None
        if kind == "thread":  # its ident is the id of its greenlet
            ident = own_dict(thing).get("_ident")
            return (f"greenlet:{ident:#x}" if type(ident) is int else None), "greenlet", None
        self._objects[id(thing)] = thing, kind
        return f"obj:{id(thing):#x}", kind, None

    def _words_of(self, targets):
        """Return words for several objects for which a greenlet waits."""
        words = sorted(
            [
                self._name_of(thing, self._thread_of(thing), self._gevent.frame(thing))
                if kind == "greenlet"
                else class_name(type(thing))
                for thing, kind in targets
            ]
        )[:_NAMED_MAX]
        others = len(targets) - len(words)
        if others > 0:
            words.append(f"{others} other{'s' if others > 1 else ''}")
        return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]

    def _wait_in_loop(self, pair):
        """Return (id, kind, words) of a wait for a watcher of the event loop."""
        watcher, kind = pair
        if kind in ("timer", "timeout"):
            return None, "sleep", None
        fd = attempt(lambda: self._gevent.read(watcher, "fd"))
        if type(fd) is not int:
            fd = field(watcher, "_fd")
        return None, "io", str(fd) if type(fd) is int else None

    def _claims_of(self, stack, part):
        """Return the locks whose `with` blocks the frames have entered, as claims."""
        found, released = [], []
        for i, frame in enumerate(stack):
            code = frame.f_code
            if part[i] is None:
                continue
            kind = self._codes.get(id(code), (None,))[0]
            if kind == "condition":
                released.append(field(self._argument(part, i), "_lock"))
            for manager, offset in part[i][1]:
                lock = self._lock_of(manager)
                if lock is None or any(lock is each for each in released):
                    continue
                doubtful = any(
                    "release" in each.f_code.co_names for each in self._own(stack[: i + 1])
                )
                since = len(stack) - 1 - i, as_str(code.co_filename), _line_of(code, offset)
                found.append((lock, *since, "likely" if doubtful else "seen"))
        return found[::-1]

    def _own(self, stack):
        """Return the frames of the program: leave out those of gevent and _WAITING_FUNCTIONS."""
        return [
            each
            for each in stack
            if not self._is_in(each, "gevent") and id(each.f_code) not in self._codes
        ]

    def _lock_of(self, manager):
        """Return the lock that the `with` of a manager takes, or None."""
        condition = names_of("threading").get("Condition")
        if type(manager) is condition:
            manager = field(manager, "_lock")
        if self._gevent.kind(manager) in ("lock", "semaphore", "rlock"):
            return manager
        return manager if type(manager) is _thread.LockType else None

    # -- Holders --

    def _drop_moved(self):
        """Forget the waits and claims of each greenlet that has run since it was read."""
        for each in self.facts:
            frame = self._gevent.frame(each.greenlet)
            if frame is not each.frame or frame.f_lasti != each.last:
                each.wait, each.claims = None, []

    def _add_claim(self, holder, claim):
        self._claims.setdefault(id(claim[0]), []).append((holder, claim))
        kind = "lock" if type(claim[0]) is _thread.LockType else self._gevent.kind(claim[0])
        self._objects.setdefault(id(claim[0]), (claim[0], kind))

    def _is_free(self, lock):
        if type(lock) is _thread.LockType:
            return not lock.locked()
        return self._gevent.is_free(lock)

    def _add_claims(self):
        for facts in self.facts:
            facts.claims = [each for each in facts.claims if not self._is_free(each[0])]
            facts.claims = [each for each in facts.claims if self._owns(facts, each[0])]
            for each in facts.claims:
                self._add_claim(facts.ident(), each)
        for claims in self._claims.values():
            self._drop_guesses(claims)

    def _owns(self, facts, lock):
        """False if the lock is an RLock that the greenlet of these facts does not own."""
        return self._gevent.kind(lock) != "rlock" or self._gevent.owner(lock) == id(facts.greenlet)

    def _drop_guesses(self, claims):
        """Drop the guesses about a lock if one greenlet or thread certainly holds the lock.

        claims: the claims of this lock. If the lock is a semaphore or an RLock, does nothing.
        """
        lock = claims[0][1][0]
        seen = [each for each in claims if each[1][4] == "seen"]
        if 0 < len(seen) < len(claims) and self._kind_of(lock) == "lock":
            for facts in self.facts:
                facts.claims = [
                    each for each in facts.claims if each[0] is not lock or each[4] == "seen"
                ]
            claims[:] = seen

    def _kind_of(self, lock):
        return self._objects[id(lock)][1].partition("-")[0]

    # -- The answer --

    def greenlet_tuple(self, facts):
        """Return a greenlet as a tuple, without its repr() and its frames."""
        parent = self._gevent.parent(facts.greenlet)
        wait = facts.wait
        return (
            facts.ident(),
            None,  # repr
            None,  # repr_status
            sendable(facts.name),
            None if parent is None else f"greenlet:{id(parent):#x}",
            None if facts.thread is None else f"thread:{facts.thread}",
            None,  # frames
            wait and (wait[0], wait[1], wait[2] and sendable(wait[2]), "known", wait[3], wait[4]),
            None,  # notes
            tuple([self._hold_tuple(*each) for each in facts.claims]),
        )

    def _hold_tuple(self, lock, number, file, line, certainty):
        is_known = self._gevent.kind(lock) == "rlock"
        return (
            f"obj:{id(lock):#x}",
            None if line is None else (number, sendable(file), line),
            "known" if is_known else certainty,
            "owner" if is_known else "with",
        )

    def objects(self):
        """Return the objects that greenlets wait for or hold, and the hubs, as tuples."""
        found = [self._object_tuple(*each) for each in self._objects.values()]
        for hub, ident in self._hubs.values():
            is_waiting = self._gevent.frame(hub) is not None
            detail = (("state", "waiting" if is_waiting else "running"),)
            holder = (f"thread:{ident}",)
            name = f"hub:{id(hub):#x}"
            found.append((name, "hub", type_name(type(hub)), None, holder, "known", detail))
        return tuple(found)

    def _object_tuple(self, thing, kind):
        kind = kind.partition("-")[0]
        holders, status, detail = (), None, ()
        if kind == "pool":
            members = self._gevent.members(thing)
            holders, status = tuple([f"greenlet:{id(each):#x}" for each in members]), "known"
        elif kind in ("lock", "semaphore", "rlock"):
            holders, status = self._holders_of(thing, kind)
            permits = self._gevent.permits(thing) if kind == "semaphore" else None
            detail = () if permits is None else (("permits", str(permits)),)
        return f"obj:{id(thing):#x}", kind, type_name(type(thing)), None, holders, status, detail

    def _holders_of(self, thing, kind):
        claims = self._claims.get(id(thing), [])
        holders = tuple({holder: None for holder, _ in claims})
        owner = self._gevent.owner(thing) if kind == "rlock" else None
        if owner is not None:
            return self._owner_of(owner)
        if self._is_free(thing):
            return (), "free"
        is_seen = any(claim[4] == "seen" for _, claim in claims)
        if is_seen and (kind == "semaphore" or len(holders) == 1):
            return holders, "known"
        return holders, "not-known"

    def _owner_of(self, owner):
        """Return the holders and holder_status of an RLock. owner: the id of a greenlet."""
        if any(id(each.greenlet) == owner for each in self.facts):
            return (f"greenlet:{owner:#x}",), "known"
        found = [each for each in self._gevent.greenlets() if id(each) == owner]
        if not found:
            return (), "not-known"
        if not self._gevent.base.__bool__(found[0]):
            return (f"greenlet:{owner:#x}",), "ended"
        ident = self._thread_of(found[0])
        return ((f"thread:{ident}",), "known") if ident is not None else ((), "not-known")
