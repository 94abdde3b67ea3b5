"""Reads greenlets, and the objects of gevent for which greenlets wait.

A greenlet that waits is in a list of the object for which it waits: the object has the greenlet's
method `switch` in a list, or a Waiter that refers to the greenlet. So what a greenlet waits for is
found by looking through these objects, which are found by their types among all objects that the
garbage collector knows. Most of these objects are of Cython classes, whose attributes cannot be
read by name. Their referents are read instead, as the garbage collector does it.

No code of the program runs. A part of the collector: see _stacks.
"""

import collections
import functools
import gc
import sys
import types

from ._without_code import (
    all_subclasses,
    attempt,
    bases_of,
    class_dict,
    field,
    in_parts,
    instances_of,
    is_of,
    names_of,
)

_LINKS_MAX = 10000  #: the most items of a list that are looked at

#: (module, class, kind). An object has the kind of the first class in its MRO that has a kind.
_GEVENT_CLASSES = (
    ("gevent.hub", "Hub", "hub"),
    ("gevent._waiter", "Waiter", "waiter"),
    ("gevent.queue", "ItemWaiter", "item-waiter"),
    ("gevent.lock", "Semaphore", "semaphore"),
    ("gevent.lock", "RLock", "rlock"),
    ("gevent.thread", "LockType", "lock"),
    ("threading", "_RLock", "rlock"),  # if gevent has patched threading, RLock() returns it
    ("gevent.event", "Event", "event"),
    ("gevent.event", "AsyncResult", "future"),
    ("gevent.queue", "Queue", "queue"),
    ("gevent.queue", "SimpleQueue", "queue"),
    ("gevent.queue", "Channel", "queue"),
    ("gevent.pool", "Group", "pool"),
    ("gevent.libev.corecext", "timer", "timer"),
    ("gevent.libev.corecext", "watcher", "watcher"),
    ("gevent.libev.corecext", "callback", "callback"),
    ("gevent._ffi.watcher", "TimerMixin", "timer"),
    ("gevent._ffi.watcher", "watcher", "watcher"),
    ("gevent._ffi.callback", "callback", "callback"),
)

_GETSET = types.GetSetDescriptorType
_gevent_method_func = vars(types.MethodType)["__func__"].__get__
_gevent_method_self = vars(types.MethodType)["__self__"].__get__
_gevent_builtin_self = vars(types.BuiltinFunctionType)["__self__"].__get__


def _referents_of_all(things):
    """Return a list of lists: the objects to which each of these objects refers.

    gc.get_referents() does not show the referents of a greenlet that has begun.
    """
    read = getattr(sys.modules.get("_pystuck"), "referents", None)
    if read is None:
        return [gc.get_referents(each) for each in things]
    return [each for part in in_parts(things) for each in read(part)]


def _greenlet_class():
    """Return the C class of greenlets, or None. A program may have replaced it by a subclass."""
    cls = names_of("greenlet").get("greenlet")
    bases = bases_of(cls) if issubclass(type(cls), type) else ()
    found = [each for each in bases if type(class_dict(each).get("gr_frame")) is _GETSET]
    return found[0] if found else None


class Gevent:
    """The greenlets of this process, and the objects of gevent for which they may wait."""

    def __init__(self):
        self.base = _greenlet_class()
        self._kinds = {}  # {id of a class: (class, kind or None)}
        self._bases = {} if self.base is None else {id(self.base): (self.base, "greenlet")}
        for module, name, kind in _GEVENT_CLASSES:
            cls = names_of(module).get(name)
            if issubclass(type(cls), type):
                self._bases.setdefault(id(cls), (cls, kind))
        wanted = all_subclasses([cls for cls, _ in self._bases.values()])
        found = instances_of(wanted) if self.base is not None else []
        self.found = sorted(found, key=id)

    def kind(self, thing):
        """Return the kind of an object: a word from _GEVENT_CLASSES, or None."""
        cls = type(thing)
        known = self._kinds.get(id(cls))
        if known is None:  # the class is kept, so that no other class gets its id
            words = [self._bases[id(each)][1] for each in bases_of(cls) if id(each) in self._bases]
            known = self._kinds[id(cls)] = cls, words[0] if words else None
        return known[1]

    def names(self, greenlet):
        """Return the __dict__ of a greenlet."""
        found = class_dict(self.base)["__dict__"].__get__(greenlet)
        return found if type(found) is dict else {}

    def is_greenlet(self, thing):
        return self.kind(thing) in ("greenlet", "hub")

    def greenlets(self):
        """Return the greenlets, in the order of their addresses."""
        return [each for each in self.found if self.is_greenlet(each)]

    def frame(self, greenlet):
        """Return the innermost frame of a greenlet that has begun and is suspended, else None."""
        return self.base.gr_frame.__get__(greenlet) if self.base.__bool__(greenlet) else None

    def parent(self, greenlet):
        return self.base.parent.__get__(greenlet)

    # -- Who waits for what --

    def _woken(self, link):
        """Return the greenlet that a callback wakes, or None.

        Other methods of a greenlet than `switch`, such as rawlink(greenlet.note), do not wake it.
        """
        if type(link) is types.BuiltinFunctionType:
            link = _gevent_builtin_self(link) if link.__name__ == "switch" else None
        elif type(link) is types.MethodType:
            name = self.read(_gevent_method_func(link), "__name__")  # of Python, or of Cython
            is_switch = type(name) is str and name == "switch"
            link = _gevent_method_self(link) if is_switch else None
        if self.kind(link) in ("waiter", "item-waiter"):
            link = self.read(link, "greenlet")
        return link if self.is_greenlet(link) else None

    def _links(self, referents):
        """Yield the callbacks in the lists among the referents of an object."""
        for each in referents:
            if is_of(each, list):
                yield from each[:_LINKS_MAX]

    def _in_queue(self, referents):
        """Yield (greenlet, kind of its wait) of the greenlets that wait in a queue."""
        for each in referents:
            if not is_of(each, collections.deque) or len(each) > _LINKS_MAX:
                continue
            for waiter in list(each):
                if is_of(waiter, tuple) and len(waiter) == 2:  # in Channel: (item, waiter)
                    kind, waiter = "queue-put", waiter[1]
                else:
                    kind = "queue-get" if self.kind(waiter) == "waiter" else "queue-put"
                if self.kind(waiter) in ("waiter", "item-waiter"):
                    yield self._woken(waiter), kind

    def waits(self):
        """Return {id of a greenlet: list of (object, kind of the wait)}.

        The kinds "timer" and "watcher" have the watcher of the event loop as object. With the kind
        "timeout", the object ends the wait of the greenlet after some time. With the kind
        "callback", the event loop will switch to the greenlet soon.
        """
        found, joins = {}, {}
        for thing, referents in zip(self.found, _referents_of_all(self.found)):
            kind = self.kind(thing)
            pairs = []
            if kind in ("semaphore", "lock", "event", "future", "greenlet"):
                pairs = [(self._woken(each), kind) for each in self._links(referents)]
            elif kind == "queue":
                pairs = list(self._in_queue(referents))
                joins.update((id(e), thing) for e in referents if self.kind(e) == "event")
            elif kind == "rlock":
                joins[id(field(thing, "_block"))] = thing
            elif kind == "pool":
                joins.update((id(field(thing, e)), thing) for e in ("_semaphore", "_empty_event"))
            elif kind in ("timer", "watcher", "callback"):
                pairs = self._of_watcher(kind, referents)
            for greenlet, word in pairs:
                if greenlet is not None:
                    found.setdefault(id(greenlet), []).append((thing, word))
        for pairs in found.values():  # the inner object of a queue, an RLock or a pool
            pairs[:] = [self._outer(joins.get(id(each[0])), each) for each in pairs]
        return found

    def _outer(self, outer, pair):
        if outer is None:
            return pair
        kind = self.kind(outer)
        if kind == "pool":
            return outer, "pool-join" if pair[1] == "event" else "pool-put"
        return outer, "queue-join" if kind == "queue" else kind

    def members(self, pool):
        """Return the greenlets of a gevent.pool.Group or Pool."""
        found = field(pool, "greenlets")
        found = list(found) if is_of(found, set) else []
        return [each for each in found if self.is_greenlet(each)]

    def _of_watcher(self, kind, referents):
        """Return [(greenlet, kind of the wait)] for a watcher of the event loop."""
        woken = [self._woken(each) for each in referents]
        woken = [each for each in woken if each is not None]
        if woken or kind != "timer":
            return [(each, kind) for each in woken]
        arguments = [each for each in referents if is_of(each, tuple)]
        return [
            (each, "timeout") for pair in arguments for each in pair[:1] if self.is_greenlet(each)
        ]

    # -- What objects store --

    def read(self, thing, name):
        """Return a field of an object of gevent, or None. Reads members of C structs, and dicts."""
        for base in bases_of(type(thing)):
            found = class_dict(base).get(name)
            if type(found) is _GETSET:
                return attempt(functools.partial(found.__get__, thing))
        return field(thing, name)

    def owner(self, rlock):
        """Return the id of the greenlet that owns an RLock, or None."""
        owner = field(rlock, "_owner")
        if self.is_greenlet(owner):
            return id(owner)
        return owner if type(owner) is int else None

    def permits(self, semaphore):
        """Return how many greenlets may hold a semaphore at the same time; None: not known."""
        value = self.read(semaphore, "_initial_value")
        return value if type(value) is int and value > 0 else None

    def is_free(self, thing):
        """True if no greenlet holds the lock or semaphore."""
        if self.kind(thing) == "rlock":
            return self.owner(thing) is None
        counter, permits = self.read(thing, "counter"), self.permits(thing)
        return type(counter) is int and permits is not None and counter >= permits
