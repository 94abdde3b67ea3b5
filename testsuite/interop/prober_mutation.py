# SPDX-License-Identifier: BSD-3-Clause
"""The random input of prober.py: sessions of a client, with random changes.

A round changes values, their spelling, bytes, frames, and the answers to the server's requests.
The server must answer each request that is still valid according to doc/protocol.md, or close the
connection.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from prober_peer import Peer, Probe, require, vinegar
from prober_wire import (
    BUFFITER,
    CALL,
    CALLATTR,
    CMP,
    DEL,
    DIR,
    EXCEPTION,
    GETATTR,
    GETROOT,
    HASH,
    INSPECT,
    INSTANCECHECK,
    OLDSLICING,
    PICKLE,
    PING,
    REPLY,
    REPR,
    REQUEST,
    STR,
    THREAD,
    Malformed,
    Message,
    Mine,
    Raw,
    box,
    dump,
    frame,
    nested,
    payload_of,
    raw_frame,
    spellings,
    split_frames,
)

FUNCTION = Mine(("prober.Function", 71, 72))

#: The values that replace others. No request with one of them does harm if the server executes it.
POOL: list[Any] = [
    *(None, True, False, NotImplemented, Ellipsis, 1.5, float("nan"), 2j, b"", b"x", "", "x"),
    *("append", "__class__", "__call__", (), (1,), (1, 1), (2, ()), nested(20), slice(1, 2)),
    *(frozenset({1}), -1, 0x70, 99, 1 << 31, 1 << 64, 10**300, "é" * 200, b"x" * 4000, vinegar()),
    *range(21),
]

Tree = Any


def session(peer: Peer) -> list[tuple[Any, Any, Any]]:
    """Returns the valid messages of a session: (kind, number, arguments)."""
    thing, pack = peer.thing, peer.thing.pack
    function, iterator = peer.eval("(lambda *args: args, iter('abcdef'))")
    caller = peer.eval("lambda f, *args: f(*args)")
    requests: list[tuple[int, tuple[Any, ...]]] = [
        *((PING, (data,)) for data in (5, "text", (1, thing), FUNCTION, (1, (2.5, (None,))))),
        *((handler, (thing,)) for handler in (REPR, STR, DIR, DEL)),
        *((GETROOT, ()), (GETATTR, (thing, "append")), (HASH, (function,)), (INSPECT, (pack,))),
        *((CALL, (function, (1, "a"), ())), (CALL, (caller, (FUNCTION, 1), ()))),
        *((CALLATTR, (peer.root, "eval", ("[1]",))), (CALLATTR, (thing, "copy", (), ()))),
        *((CMP, (thing, thing, "__eq__")), (PICKLE, (thing, 2)), (BUFFITER, (iterator, 2))),
        (OLDSLICING, (thing, "__getitem__", "__getslice__", 0, 1, ())),
        (INSTANCECHECK, (peer.eval("list"), pack)),
    ]
    messages = [(REQUEST, n, (handler, box(args))) for n, (handler, args) in enumerate(requests)]
    return [*messages, (REPLY, 3, box(thing)), (EXCEPTION, 4, vinegar())]


# ---- Changes -------------------------------------------------------------------------------------


def other(chance: random.Random, value: Tree) -> Tree:
    """Returns a value of POOL."""
    return chance.choice(POOL)


def wrapped(chance: random.Random, value: Tree) -> Tree:
    """Returns a tuple that contains the value, once or several times."""
    return (value,) * chance.choice((1, 1, 2, 3))


def with_more_or_less(chance: random.Random, value: Tree) -> Tree:
    """Returns a tuple without one of its items, with one item twice, or with one more item."""
    if type(value) is not tuple or not value:
        return other(chance, value)
    at = chance.randrange(len(value))
    middle = chance.choice(((), value[at : at + 1] * 2, (value[at], other(chance, value))))
    return value[:at] + middle + value[at + 1 :]


def respelled(chance: random.Random, value: Tree) -> Tree:
    """Returns the value in another spelling."""
    return Raw(chance.choice(spellings(value)))


def garbled(chance: random.Random, value: Tree) -> Tree:
    """Returns the value's brine with changed bytes."""
    return Raw(with_other_bytes(chance, dump(value)))


CHANGES: list[Callable[[random.Random, Tree], Tree]] = [
    *(other, other, wrapped, with_more_or_less, with_more_or_less, respelled, garbled),
]


def changed(chance: random.Random, value: Tree) -> Tree:
    """Returns the value with one change, at a random depth of its tuples."""
    if type(value) is tuple and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return (*value[:at], changed(chance, value[at]), *value[at + 1 :])
    return chance.choice(CHANGES)(chance, value)


def with_other_bytes(chance: random.Random, data: bytes) -> bytes:
    """Returns the data with some bytes replaced, removed, repeated or added."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 50)))
        part = data[start:end]
        number = chance.choice((b"\0", b"\x01", b"\x7f", b"\xff", b"\xff" * 4, b"\0\0\0\1"))
        new = chance.choice((b"", part * 2, chance.randbytes(len(part) or 1), number))
        data = data[:start] + new + data[end:]
    return data


def in_some_frame(chance: random.Random, payload: bytes) -> bytes:
    """Returns the payload in a frame that may be invalid."""
    if chance.random() < 0.8:
        return frame(payload, chance.choice((None, 0, 1)))
    size = len(payload) + chance.choice((-1, 1, 5, 1000, 1 << 20, -len(payload)))
    flag = chance.choice((0, 0, 0, 1, 2, 255))
    kept = chance.choice((None, max(0, size)))
    return raw_frame(payload, flag, kept, chance.choice((b"\n", b"", b"\0")))


def on_the_wire(
    chance: random.Random, peer: Peer, message: tuple[Any, Any, Any], to: int = 0
) -> bytes:
    """Returns a frame with the message, with random changes."""
    kind, seq, args = message
    if chance.random() < 0.6:
        args = changed(chance, args)
    elif chance.random() < 0.2:
        seq = changed(chance, seq)
    payload = peer.envelope.payload(kind, seq, args, to)
    if chance.random() < 0.3:
        payload = with_other_bytes(chance, payload)
    return in_some_frame(chance, payload)


# ---- Rounds --------------------------------------------------------------------------------------


class Owed:
    """The answers that doc/protocol.md requires for the data that was sent."""

    def __init__(self, peer: Peer, data: bytes) -> None:
        self.seqs: Counter[bytes] = Counter()
        #: True if all of the data is valid, so that no other answers are allowed.
        self.all_is_clear = True
        for flag, content in split_frames(data)[0]:
            try:
                self.add(peer.envelope.message(payload_of(flag, content)))
            except Malformed:
                self.all_is_clear = False
                return

    def add(self, message: Message) -> None:
        """Counts the answer to a message, if it is a request."""
        if message.kind not in (REQUEST, REPLY, EXCEPTION) or type(message.kind) is not int:
            raise Malformed("a message of an unknown kind")
        if (message.thread, message.to) not in ((0, 0), (THREAD, 0)):
            self.all_is_clear = False  # a request for another thread may never be answered
        elif message.kind == REQUEST:
            self.seqs[dump(message.seq)] += 1

    def lacking(self, answers: list[Message]) -> Counter[bytes]:
        """Returns the numbers of the requests that have no answer in `answers`."""
        return self.seqs - Counter(dump(message.seq) for message in answers)

    def unasked(self, answers: list[Message]) -> Counter[bytes]:
        """Returns the numbers of the answers to which there is no request."""
        return Counter(dump(message.seq) for message in answers) - self.seqs


def answer_at_random(chance: random.Random, peer: Peer, message: Message) -> bytes:
    """Returns an answer to a request of the server, which may be invalid."""
    good = (REPLY, message.seq, box((("__call__", None),) if message.args[0] == INSPECT else 5))
    answer = chance.choice((good, (EXCEPTION, message.seq, vinegar())))
    if chance.random() < 0.3:
        peer.may_wait = True
        return on_the_wire(chance, peer, answer, message.thread)
    return peer.message(*answer, message.thread)


def some_messages(chance: random.Random, peer: Peer) -> bytes:
    """Returns some messages of a session, most of them changed; the last may be incomplete."""
    messages = session(peer)
    parts = []
    for message in chance.choices(messages, k=chance.choice((1, 1, 2, 3, 6))):
        is_changed = chance.random() < 0.7
        parts.append(on_the_wire(chance, peer, message) if is_changed else peer.message(*message))
    data = b"".join(parts)
    return data[: chance.randrange(len(data) + 1)] if chance.random() < 0.05 else data


def play(seed: int, number: int, peer: Peer) -> None:
    """Runs a round: sends some_messages() and checks the answers."""
    chance = random.Random(f"{seed}:{number}")
    for handler in (CALL, GETATTR, INSPECT):
        peer.raw_answers[handler] = functools.partial(answer_at_random, chance, peer)
    data = some_messages(chance, peer)
    owed = Owed(peer, data)
    peer.thread = None
    answers, closed = peer.provoke(
        data, lambda came: not peer.may_wait and bool(owed.lacking(came))
    )
    if closed or peer.may_wait:
        return
    lacking, unasked = owed.lacking(answers), owed.unasked(answers)
    require(not lacking, f"neither answers to {lacking} nor closed: {answers!r:.300}")
    require(not (unasked and owed.all_is_clear), f"answers without a request: {answers!r:.300}")


def probe(seed: int, number: int) -> Probe:
    """Returns the probe of a round."""
    return Probe(f"round {number} of seed {seed}", functools.partial(play, seed, number))
