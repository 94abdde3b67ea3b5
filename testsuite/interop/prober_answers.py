# SPDX-License-Identifier: BSD-3-Clause
"""Invalid answers of prober.py: to requests of the server, and answers without a request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prober_messages import ANY, nothing
from prober_peer import ANSWERED, BAD, CLOSED, ODD, SILENT, UNANSWERABLE, Peer, Probe, vinegar
from prober_wire import (
    CALL,
    EXCEPTION,
    GETATTR,
    INSPECT,
    LOCAL_REF,
    REPLY,
    TUPLE,
    VALUE,
    Message,
    Raw,
    box,
)
from prober_wrong import FUNCTION, SEQ, group, sends

Answer = Callable[[Peer, Message], bytes]

#: Names in builtins that are not exceptions, or exceptions that a client must not raise.
NAMES = [
    *("", "int", "list", "type", "print", "__import__", "x" * 9999, "BaseException", "SystemExit"),
    *("KeyboardInterrupt", "GeneratorExit", "StopAsyncIteration", "MemoryError"),
]

#: Names of modules that have no exception `Error`.
MODULES = ["", "os", "no.such", "..", "a" * 9999, "os\0", "__main__"]

#: Names of attributes that an exception from a client must not set.
ATTRIBUTES = [
    *("__class__", "__dict__", "__cause__", "__traceback__", "__init__", "args", "with_traceback"),
    *("", "a b", "\0", "_remote_tb"),
]

#: Values that are not vinegar, or unusual vinegar.
VINEGARS: list[Any] = [
    *(value for value in ANY if value != 1 or value is True),
    ("builtins", "ValueError"),
    (("builtins", "ValueError"), (), ()),
    (("builtins", "ValueError"), (), (), "", None),
    (("builtins",), (), (), ""),
    ("ab", (), (), ""),
    *((("builtins", name), (), (), "") for name in NAMES),
    *((("builtins", "UnicodeDecodeError"), args, (), "") for args in ((), (1,), ("a", b"b", 1))),
    *(((module, "Error"), (), (), "") for module in MODULES),
    *(((value, "ValueError"), (), (), "") for value in ANY if type(value) is not str),
    *((("builtins", value), (), (), "") for value in ANY if type(value) is not str),
    *((("builtins", "ValueError"), value, (), "") for value in ANY),
    *((("builtins", "ValueError"), (), value, "") for value in ANY),
    *((("builtins", "ValueError"), (), (value,), "") for value in ANY),
    *((("builtins", "ValueError"), (), ((value, 1),), "") for value in ANY),
    *((("builtins", "ValueError"), (), (), value) for value in ANY),
    *(
        (("builtins", "ValueError"), (), ((name, value),), "")
        for name in ATTRIBUTES
        for value in (None, 1, "x", ())
    ),
]

#: Values that are not boxes, or boxes of unknown objects.
BOXES: list[Any] = [
    *(value for value in ANY),
    *((label, 1) for label in ANY if label is not True),
    *((TUPLE, value) for value in ANY if not nothing(value)),
    *((LOCAL_REF, value) for value in ANY),
    (LOCAL_REF, ("prober.Unknown", 1, 2)),
    (VALUE,),
    (VALUE, 1, 2),
    (TUPLE, ((VALUE, 1), (99, 1))),
    Raw(b"\x07"),
    Raw(b"\x15\xff\xff\xff\xff"),
    Raw(b"\x10" * 100_000),
]

#: Names that a method of a netref must not have.
METHOD_NAMES = [
    *("__class__", "__del__", "__init__", "____conn__", "____id_pack__", "__getattribute__"),
    *("__hash__", "__slots__", "__new__", "mro", "\0", "\ud7ff", "a b", "x" * 100_000),
]

#: Values that are not results of INSPECT, or unusual results.
METHODS: list[Any] = [
    *(value for value in ANY),
    *((value,) for value in ANY),
    *(((value, None),) for value in ANY),
    *((("method", value),) for value in ANY),
    *(((name, None),) for name in METHOD_NAMES),
    tuple((f"method{n}", "doc") for n in range(10_000)),
]


def answered_with(name: str, handler: int, answer: Answer, allowed: Iterable[str] = BAD) -> Probe:
    """Returns a probe that makes the server use an object of the prober.

    The probe answers the request `handler` of the server with what `answer` returns.
    """

    def run(peer: Peer) -> None:
        caller = peer.eval("lambda f: (f(), f.attribute)")
        peer.serving[CALL] = peer.serving[GETATTR] = lambda *args: 5
        peer.raw_answers[handler] = lambda message: answer(peer, message)
        peer.expect(peer.frame_of(CALL, caller, (FUNCTION,), seq=SEQ), allowed, SEQ)

    return Probe(name, run)


def answers(kind: int, args: Any, to: Any = ...) -> Answer:
    """Returns an answer of this kind to the request, or to the request number `to`."""

    def answer(peer: Peer, message: Message) -> bytes:
        return peer.message(kind, message.seq if to is ... else to, args, message.thread)

    return answer


def both(first: Answer, second: Answer) -> Answer:
    """Returns one answer after the other."""
    return lambda peer, message: first(peer, message) + second(peer, message)


@group("answers to the server's requests")
def bad_answers() -> Iterator[Probe]:
    for sour in VINEGARS:
        name, answer = f"the exception {sour!r:.60}", answers(EXCEPTION, sour)
        yield answered_with(f"CALL, {name}", CALL, answer)
        yield answered_with(f"INSPECT, {name}", INSPECT, answer, ODD)
    for value in ANY:
        name = f"GETATTR, the exception {value!r:.60}"
        yield answered_with(name, GETATTR, answers(EXCEPTION, value))
    for boxed in BOXES:
        name, answer = f"the box {boxed!r:.60}", answers(REPLY, boxed)
        yield answered_with(f"CALL, {name}", CALL, answer)
        yield answered_with(f"INSPECT, {name}", INSPECT, answer, ODD)
    for methods in METHODS:
        answer = answers(REPLY, box(methods))
        yield answered_with(f"INSPECT, {methods!r:.60}", INSPECT, answer, ODD)
    for kind in (0, 4, 0x7F, 0xFF):
        yield answered_with(f"CALL, a message of kind {kind}", CALL, answers(kind, box(1)))
    yield from untimely_answers()


def untimely_answers() -> Iterator[Probe]:
    """Yields probes with answers that come twice, never, or for another request."""
    good, bad = answers(REPLY, box(5)), answers(EXCEPTION, vinegar())
    for name, more in (("comes twice", good), ("an exception follows", bad)):
        yield answered_with(f"an answer that {name}", CALL, both(good, more), {ANSWERED, CLOSED})
    for seq in (-1, 1 << 31, 1 << 70, None, "x", (), 1.5):
        stray = both(answers(REPLY, box(6), seq), good)
        yield answered_with(f"an answer to {seq!r} first", CALL, stray, ODD)
    # The server waits for the answer, and serves requests of the prober meanwhile.
    yield answered_with("no answer", CALL, lambda peer, message: b"", {SILENT, CLOSED})
    yield answered_with("no answer to INSPECT", INSPECT, lambda peer, message: b"", {SILENT, *ODD})
    for handler in (CALL, INSPECT):
        yield Probe(f"{handler}: a reset as the answer", functools.partial(reset_at, handler))


def reset_at(handler: int, peer: Peer) -> None:
    """Resets the connection when the server sends a request for `handler`."""
    caller = peer.eval("lambda f: f()")
    peer.send(peer.frame_of(CALL, caller, (FUNCTION,)))
    message = peer.receive()
    while message is not None and message.args[0] not in (handler, CALL):
        peer.serve(message)
        message = peer.receive()
    peer.reset()


@group("answers to nothing")
def answers_to_nothing() -> Iterator[Probe]:
    # The server must not answer an answer.
    messages = [
        *((REPLY, seq, box(1)) for seq in (1, 5, SEQ, *ANY)),
        *((EXCEPTION, seq, vinegar()) for seq in (1, 5, SEQ, *ANY)),
        *((REPLY, 0, boxed) for boxed in BOXES),
        *((EXCEPTION, 0, sour) for sour in VINEGARS),
    ]
    for kind, seq, args in messages:
        name = f"kind {kind} to {seq!r:.40}: {args!r:.60}"
        message = kind, seq, args
        yield sends(name, lambda peer, m=message: peer.message(*m), UNANSWERABLE)
