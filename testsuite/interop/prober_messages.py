# SPDX-License-Identifier: BSD-3-Clause
"""Invalid messages of prober.py: their brine is valid, their content is not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from prober_peer import BAD, ODD, Peer, Probe
from prober_wire import (
    BUFFITER,
    CALL,
    CALLATTR,
    CLOSE,
    CMP,
    CTXEXIT,
    DEL,
    DELATTR,
    DIR,
    GETATTR,
    GETROOT,
    HASH,
    INSPECT,
    INSTANCECHECK,
    LOCAL_REF,
    OLDSLICING,
    PICKLE,
    PING,
    REMOTE_REF,
    REPR,
    REQUEST,
    SETATTR,
    STACKS,
    STR,
    TUPLE,
    VALUE,
    Envelope,
    Raw,
    Theirs,
    box,
    dump,
    frame,
    raw_frame,
)
from prober_wrong import FUNCTION, SEQ, asks, group, ping_payload, sends

# ---- Types ---------------------------------------------------------------------------------------

#: Values of each type, which are put where a value of another type is expected.
ANY: list[Any] = [
    *(None, True, NotImplemented, Ellipsis, 1.5, float("nan"), 2j, b"", b"x", "", "x"),
    *((), (1,), (None, None), (1, 2, 3), ("a", "b", "c"), (1, 2, 3, 4), slice(1), frozenset()),
    *(frozenset({1}), -1, 0, 1 << 31, 1 << 63, 1 << 64, -(1 << 63) - 1, 10**400),
]

# These functions return True if a value of ANY may be valid in some place.


def none_of_them(value: Any) -> bool:
    """All values are invalid."""
    return False


def anything(value: Any) -> bool:
    """All values may be valid, because the server need not check them."""
    return True


def one(value: Any) -> bool:
    """The value equals 1."""
    return value is True


def nothing(value: Any) -> bool:
    """The value is an iterable without items."""
    return value in ((), "", b"", frozenset())


def many(value: Any) -> bool:
    """The value is an iterable."""
    return isinstance(value, (tuple, str, bytes, frozenset))


def number(value: Any) -> bool:
    """The value is a real number; bool is one, too."""
    return isinstance(value, (int, float))


def integer(value: Any) -> bool:
    """The value is an int, but not a bool."""
    return type(value) is int


def text(value: Any) -> bool:
    """The value may be a name."""
    return isinstance(value, (str, bytes))


def index(value: Any) -> bool:
    """The value may be the start or the end of a slice."""
    return value is None or isinstance(value, int)


class Place(NamedTuple):
    """A place in a request: `put` makes the request with a value there; `takes` is the test."""

    name: str
    put: Callable[[Peer, Any], Any]
    takes: Callable[[Any], bool] = none_of_them


def raw_box(label: Any, value: Any) -> Any:
    """Returns a PING request whose argument has this label and value as its box."""
    return PING, (TUPLE, ((label, value),))


def with_part(label: int | None, at: int, peer: Peer, value: Any) -> Any:
    """Returns a request with the id pack of peer.thing, of which one part is `value`.

    The id pack is in a box with the label; with None it is the argument of INSPECT.
    """
    pack: list[Any] = list(peer.thing.pack)
    pack[at] = value
    return (INSPECT, box((tuple(pack),))) if label is None else raw_box(label, tuple(pack))


def request(handler: int, *args: Any, at: int) -> Callable[[Peer, Any], Any]:
    """Returns a function that makes a request in which argument number `at` is another value.

    Of `args`, functions are called with the peer; the results are the arguments.
    """

    def put(peer: Peer, value: Any) -> Any:
        made = [arg(peer) if callable(arg) else arg for arg in args]
        made[at] = value
        return handler, box(tuple(made))

    return put


def thing(peer: Peer) -> Theirs:
    """Returns a list of the server."""
    return peer.thing


def function(peer: Peer) -> Any:
    """Returns a function of the server that takes any arguments."""
    return peer.eval("lambda *args, **kwargs: None")


def iterator(peer: Peer) -> Any:
    """Returns an iterator of the server."""
    return peer.eval("iter('abc')")


def context(peer: Peer) -> Any:
    """Returns a context manager of the server."""
    return peer.eval("open('/dev/null')")


MESSAGE_PLACES = [
    Place("handler", lambda peer, it: (it, box((1,))), one),
    Place("the handler and its arguments", lambda peer, it: it),
    Place("the box of the arguments", lambda peer, it: (PING, it)),
    Place("the arguments", lambda peer, it: (PING, (VALUE, it)), many),
    Place("the arguments, boxed one by one", lambda peer, it: (PING, (TUPLE, it))),
    Place("label", lambda peer, it: raw_box(it, 5), one),
    Place("label of the arguments", lambda peer, it: (PING, (it, (5,))), one),
    Place("an id pack of the server", lambda peer, it: raw_box(LOCAL_REF, it)),
    Place("an id pack of the prober", lambda peer, it: raw_box(REMOTE_REF, it)),
    Place("INSPECT's id pack", lambda peer, it: (INSPECT, box((it,)))),
]

#: The parts of an id pack, and the test for valid values in an id pack of the prober's objects.
PARTS = {"name": text, "class id": integer, "instance id": integer}

PACK_PLACES = [
    place
    for at, (part, takes) in enumerate(PARTS.items())
    for place in (
        Place(f"{part} of the prober", functools.partial(with_part, REMOTE_REF, at), takes),
        Place(f"{part} of the server", functools.partial(with_part, LOCAL_REF, at)),
        Place(f"{part} of INSPECT", functools.partial(with_part, None, at)),
    )
]

ARGUMENT_PLACES = [
    Place("GETATTR's name", request(GETATTR, thing, "x", at=1)),
    Place("DELATTR's name", request(DELATTR, thing, "x", at=1)),
    Place("SETATTR's name", request(SETATTR, thing, "x", 1, at=1)),
    Place("CALL's object", request(CALL, thing, (), (), at=0)),
    Place("CALL's arguments", request(CALL, function, (), (), at=1), many),
    Place("CALL's keywords", request(CALL, function, (), (), at=2), nothing),
    Place("CALL's keyword", lambda peer, it: (CALL, box((function(peer), (), (it,))))),
    Place(
        "the name of CALL's keyword",
        lambda peer, it: (CALL, box((function(peer), (), ((it, 1),)))),
        lambda it: type(it) is str,
    ),
    Place("CALLATTR's name", request(CALLATTR, thing, "x", (), at=1)),
    Place("CALLATTR's arguments", request(CALLATTR, thing, "copy", (), at=2), nothing),
    Place("CALLATTR's keywords", request(CALLATTR, thing, "copy", (), (), at=3), nothing),
    Place("CMP's operator", request(CMP, thing, 1, "__eq__", at=2)),
    Place("PICKLE's protocol", request(PICKLE, thing, 2, at=1), index),
    Place("DEL's object", request(DEL, thing, at=0)),
    Place("DEL's count", request(DEL, thing, 1, at=1), number),
    Place("BUFFITER's iterator", request(BUFFITER, thing, 5, at=0), many),
    Place("BUFFITER's count", request(BUFFITER, iterator, 5, at=1), index),
    *(
        Place(
            f"OLDSLICING's argument {at}",
            request(OLDSLICING, thing, "__getitem__", "__getslice__", 0, 1, (), at=at),
            takes,
        )
        for at, takes in enumerate((many, none_of_them, anything, index, index, nothing))
    ),
    Place("CTXEXIT's object", request(CTXEXIT, thing, None, at=0)),
    Place("CTXEXIT's exception", request(CTXEXIT, context, None, at=1), anything),
    Place("INSTANCECHECK's class", request(INSTANCECHECK, thing, ("x", 1, 2), at=0), anything),
    Place("INSTANCECHECK's id pack", request(INSTANCECHECK, thing, (), at=1), anything),
    Place("STACKS' argument", request(STACKS, None, at=0), anything),
]


@group("wrong types")
def wrong_types() -> Iterator[Probe]:
    for place in (*MESSAGE_PLACES, *PACK_PLACES, *ARGUMENT_PLACES):
        for value in ANY:
            name = f"{place.name}: {value!r:.40}"
            allowed = ODD if place.takes(value) else BAD
            yield asks(name, lambda peer, p=place.put, v=value: p(peer, v), allowed)
    for value in ANY:  # a server may accept any request number, since it only sends it back
        way = Raw(dump(value))
        name = f"the request number: {value!r:.40}"
        yield sends(name, lambda peer, w=way: peer.frame_of(PING, 1, seq=w), ODD, value)


# ---- Counts and envelopes ------------------------------------------------------------------------

#: The smallest and the largest number of arguments of each handler.
COUNTS = {
    **dict.fromkeys((CLOSE, GETROOT), (0, 0)),
    **dict.fromkeys((PING, REPR, STR, HASH, DIR, INSPECT), (1, 1)),
    **dict.fromkeys((GETATTR, DELATTR, PICKLE, BUFFITER, CTXEXIT, INSTANCECHECK), (2, 2)),
    **dict.fromkeys((CALL, CMP), (2, 3)),
    SETATTR: (3, 3),
    CALLATTR: (3, 4),
    DEL: (1, 2),
    OLDSLICING: (6, 6),
}


@group("wrong counts")
def wrong_counts() -> Iterator[Probe]:
    for handler, (least, most) in COUNTS.items():
        for count in (*range(9), 255, 1000):
            if not least <= count <= most:
                name = f"handler {handler} with {count} arguments"
                yield asks(name, lambda peer, h=handler, n=count: (h, box((peer.thing,) * n)))


@group("envelopes")
def envelopes() -> Iterator[Probe]:
    whole = (REQUEST, SEQ, (PING, box((1,))))
    for kind in (0, 4, 5, 0x10, 0x12, 0x50, 0x7F, 0x80, 0xFF):
        yield sends(f"kind {kind}", lambda peer, k=kind: peer.message(k, *whole[1:]))
    for kind in ANY:
        if kind is not True:
            yield sends(
                f"the kind in the envelope of 5.3: {kind!r:.40}", frame(dump((kind, *whole[1:])))
            )
    for byte in range(256):
        yield sends(f"a payload of {byte:#04x}", raw_frame(bytes([byte]), 0), seq=...)
    for count in (0, 1, 2, 4, 5):
        data = frame(dump((*whole, None, None)[:count]))
        yield sends(f"{count} of the three parts of 5.3", data)
    for count in (0, 1, 3, 4, 5):
        data = frame(b"\x01" + dump((*whole[1:], None, None, None)[:count]))
        yield sends(f"{count} of the two parts of 6.0", data)
    for extra in (b"\0", b"\x50", b"\n", b"\xff" * 100):
        name = f"bytes after the message: {extra!r:.20}"
        yield sends(name, lambda peer, e=extra: frame(ping_payload(peer) + e), ODD)
    for size in (1, 8, 15, 16, 17):
        name = f"{size} zeros before the message"
        yield sends(name, lambda peer, n=size: frame(bytes(n) + ping_payload(peer)), ODD)
    yield sends("the envelope of the other generation", other_generation)


def other_generation(peer: Peer) -> bytes:
    """Returns a request in the envelope of the generation that this connection does not use."""
    other = Envelope(11 - peer.envelope.generation)
    return frame(other.payload(REQUEST, SEQ, (PING, box((1,)))))


# ---- References ----------------------------------------------------------------------------------

#: Handlers whose first argument is an object, and their other arguments.
OF_AN_OBJECT: dict[int, tuple[Any, ...]] = {
    **dict.fromkeys((PING, REPR, STR, HASH, DIR, DEL), ()),
    GETATTR: ("append",),
    DELATTR: ("x",),
    SETATTR: ("x", 1),
    CALL: ((), ()),
    CALLATTR: ("copy", ()),
    CMP: (1, "__eq__"),
    PICKLE: (2,),
    BUFFITER: (1,),
    OLDSLICING: ("__getitem__", "__getslice__", 0, 1, ()),
    CTXEXIT: (None,),
    INSTANCECHECK: (("builtins.list", 1, 2),),
}


def given_back(peer: Peer) -> Theirs:
    """Returns an object after the deletion of its only reference."""
    peer.value(DEL, peer.thing)
    return peer.thing


def another_connections(peer: Peer) -> Theirs:
    """Returns an object that only another connection holds."""
    with peer.another() as other:
        return other.thing


#: Objects that this connection does not hold.
NOT_HELD: dict[str, Callable[[Peer], Theirs]] = {
    "after DEL": given_back,
    "of another connection": another_connections,
    "no object": lambda peer: Theirs(("builtins.list", 1, 2)),
    "an object of the prober": lambda peer: Theirs(FUNCTION.pack),
}

DEL_COUNTS = (0, -1, 2, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 64, 10**400)


@group("objects that are not held")
def not_held() -> Iterator[Probe]:
    for handler, rest in OF_AN_OBJECT.items():
        for what, find in NOT_HELD.items():
            name = f"handler {handler}, {what}"
            yield asks(name, lambda peer, h=handler, f=find, r=rest: (h, box((f(peer), *r))))
    for count in DEL_COUNTS:
        yield asks(f"DEL {count}", lambda peer, n=count: (DEL, box((peer.thing, n))), ODD)
        yield Probe(f"DEL {count} of the root", functools.partial(give_the_root_back, count))


def give_the_root_back(count: int, peer: Peer) -> None:
    """Deletes `count` references to the root: other connections can still get the root."""
    peer.expect(peer.frame_of(DEL, peer.root, count, seq=SEQ), ODD, SEQ)
    with peer.another():
        pass
