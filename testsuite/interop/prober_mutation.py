# SPDX-License-Identifier: BSD-3-Clause
"""What prober.py sends at random: sessions as a client has them, with something changed.

A round changes values, their spelling, bytes, frames, and its answers to the server's requests. The
prober reads what came of it by protocol.md: each request that is still whole has to be answered, or
the connection closed.
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

#: What something may become. Nothing that does any harm where it is carried out.
POOL: list[Any] = [
    *(None, True, False, NotImplemented, Ellipsis, 1.5, float("nan"), 2j, b"", b"x", "", "x"),
    *("append", "__class__", "__call__", (), (1,), (1, 1), (2, ()), nested(20), slice(1, 2)),
    *(frozenset({1}), -1, 0x70, 99, 1 << 31, 1 << 64, 10**300, "é" * 200, b"x" * 4000, vinegar()),
    *range(21),
]

Tree = Any


def session(peer: Peer) -> list[tuple[Any, Any, Any]]:
    """Messages that are as they should be."""
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
    """Something else."""
    return chance.choice(POOL)


def wrapped(chance: random.Random, value: Tree) -> Tree:
    """It, in a tuple."""
    return (value,) * chance.choice((1, 1, 2, 3))


def with_more_or_less(chance: random.Random, value: Tree) -> Tree:
    """It without an item, with one twice, or with another one."""
    if type(value) is not tuple or not value:
        return other(chance, value)
    at = chance.randrange(len(value))
    middle = chance.choice(((), value[at : at + 1] * 2, (value[at], other(chance, value))))
    return value[:at] + middle + value[at + 1 :]


def respelled(chance: random.Random, value: Tree) -> Tree:
    """It, written in another way."""
    return Raw(chance.choice(spellings(value)))


def garbled(chance: random.Random, value: Tree) -> Tree:
    """Its bytes, changed."""
    return Raw(with_other_bytes(chance, dump(value)))


CHANGES: list[Callable[[random.Random, Tree], Tree]] = [
    *(other, other, wrapped, with_more_or_less, with_more_or_less, respelled, garbled),
]


def changed(chance: random.Random, value: Tree) -> Tree:
    """A tree with one change somewhere in it."""
    if type(value) is tuple and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return (*value[:at], changed(chance, value[at]), *value[at + 1 :])
    return chance.choice(CHANGES)(chance, value)


def with_other_bytes(chance: random.Random, data: bytes) -> bytes:
    """Bytes with some of them replaced, left out, repeated or added."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 50)))
        part = data[start:end]
        number = chance.choice((b"\0", b"\x01", b"\x7f", b"\xff", b"\xff" * 4, b"\0\0\0\1"))
        new = chance.choice((b"", part * 2, chance.randbytes(len(part) or 1), number))
        data = data[:start] + new + data[end:]
    return data


def in_some_frame(chance: random.Random, payload: bytes) -> bytes:
    """A payload in a frame that may be wrong."""
    if chance.random() < 0.8:
        return frame(payload, chance.choice((None, 0, 1)))
    size = len(payload) + chance.choice((-1, 1, 5, 1000, 1 << 20, -len(payload)))
    flag = chance.choice((0, 0, 0, 1, 2, 255))
    kept = chance.choice((None, max(0, size)))
    return raw_frame(payload, flag, kept, chance.choice((b"\n", b"", b"\0")))


def on_the_wire(
    chance: random.Random, peer: Peer, message: tuple[Any, Any, Any], to: int = 0
) -> bytes:
    """A message with something changed, in a frame."""
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
    """Which answers are owed for bytes, by protocol.md."""

    def __init__(self, peer: Peer, data: bytes) -> None:
        self.seqs: Counter[bytes] = Counter()
        #: Whether all of it can be read, so that there is nothing else to be answered.
        self.all_is_clear = True
        for flag, content in split_frames(data)[0]:
            try:
                self.add(peer.envelope.message(payload_of(flag, content)))
            except Malformed:
                self.all_is_clear = False
                return

    def add(self, message: Message) -> None:
        """Counts a message in."""
        if message.kind not in (REQUEST, REPLY, EXCEPTION) or type(message.kind) is not int:
            raise Malformed("a message of no known kind")
        if (message.thread, message.to) not in ((0, 0), (THREAD, 0)):
            self.all_is_clear = False  # it may be answered later, or never
        elif message.kind == REQUEST:
            self.seqs[dump(message.seq)] += 1

    def lacking(self, answers: list[Message]) -> Counter[bytes]:
        """Those that have not come."""
        return self.seqs - Counter(dump(message.seq) for message in answers)

    def unasked(self, answers: list[Message]) -> Counter[bytes]:
        """Those that came and that nobody asked for."""
        return Counter(dump(message.seq) for message in answers) - self.seqs


def answer_at_random(chance: random.Random, peer: Peer, message: Message) -> bytes:
    """An answer to a request of the server's, which may be wrong."""
    good = (REPLY, message.seq, box((("__call__", None),) if message.args[0] == INSPECT else 5))
    answer = chance.choice((good, (EXCEPTION, message.seq, vinegar())))
    if chance.random() < 0.3:
        peer.may_wait = True
        return on_the_wire(chance, peer, answer, message.thread)
    return peer.message(*answer, message.thread)


def some_messages(chance: random.Random, peer: Peer) -> bytes:
    """Some messages of a session, most of them changed, and perhaps cut off."""
    messages = session(peer)
    parts = []
    for message in chance.choices(messages, k=chance.choice((1, 1, 2, 3, 6))):
        is_changed = chance.random() < 0.7
        parts.append(on_the_wire(chance, peer, message) if is_changed else peer.message(*message))
    data = b"".join(parts)
    return data[: chance.randrange(len(data) + 1)] if chance.random() < 0.05 else data


def play(seed: int, number: int, peer: Peer) -> None:
    """Plays a round."""
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
    require(not lacking, f"no answer to {lacking}, nor closed: {answers!r:.300}")
    require(not (unasked and owed.all_is_clear), f"answers that nobody asked for: {answers!r:.300}")


def probe(seed: int, number: int) -> Probe:
    """One round."""
    return Probe(f"round {number} of seed {seed}", functools.partial(play, seed, number))
