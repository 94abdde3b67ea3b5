# SPDX-License-Identifier: BSD-3-Clause
"""Input that no correct peer sends. It is written from doc/protocol.md, not from the code.

The client that sends it gets an exception, or the connection is closed. Other clients notice
nothing, the debuggee is in the same state as before, and nothing is left behind: the fixture
`bystander` checks this for each test here.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import figures
import pytest
from harness import SANITIZED, Debuggee
from rawpeer import (
    ENVELOPES,
    EXCEPTION,
    LOCAL_REF,
    REMOTE_REF,
    REPLY,
    REQUEST,
    TUPLE,
    VALUE,
    Envelope,
    Handler,
    RawPeer,
    Ref,
    box,
    call_back,
    connect_socket,
    error_name,
    frame,
    payload,
    raw_connect,
    zlib_bomb,
)
from rpyc.core import brine

MIB = 1 << 20

#: The tolerance for changes of the resident memory, in bytes.
NOISE = (64 if SANITIZED else 16) * MIB

#: The id pack of an object that does not exist.
NO_OBJECT = ("builtins.list", 0x1234, 0x5678)


@pytest.fixture
def stuck(lasting: Callable[[], Debuggee]) -> Debuggee:
    """One debuggee for all tests here."""
    debuggee = lasting()
    debuggee.reset_peak_rss()
    return debuggee


@pytest.fixture(autouse=True)
def bystander(stuck: Debuggee, connect: Callable[[Debuggee], Any]) -> Iterator[Any]:
    """A stock client that is connected all the time, and checks at the end that all is well."""
    client = connect(stuck)
    held = client.eval("[1, 2, 3]")
    client.execute("x = 5")
    before = stuck.holdings()

    yield client

    assert stuck.is_alive()
    assert stuck.stderr() == ""
    assert list(held) == [1, 2, 3]
    assert client.eval("x") == 5
    another = connect(stuck)
    assert another.modules["os.path"].join("a", "b") == "a/b"
    another.close()
    stuck.wait_until_back_to(before)


@pytest.fixture(params=ENVELOPES, ids=lambda envelope: envelope.name.lower())
def peer(stuck: Debuggee, request: pytest.FixtureRequest, bystander: Any) -> Iterator[RawPeer]:
    """A raw peer that has received a reply, in each envelope."""
    with raw_connect(stuck, request.param) as raw:
        assert raw.works()
        yield raw


def assert_refused(peer: RawPeer) -> None:
    """Checks that the answer is an exception, or that the connection ends."""
    answer = peer.answer()
    assert answer is None or answer.kind == EXCEPTION, answer


def good_frame(envelope: Envelope) -> bytes:
    """Returns a valid request for the root."""
    return frame(payload(envelope, REQUEST, b"\x50", brine.dump((3, (1, ())))))


# ---- Frames --------------------------------------------------------------------------------------


@pytest.mark.measures
@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF])
@pytest.mark.parametrize("compressed", [0, 1])
def test_a_frame_that_says_it_is_too_long_and_is_no_message_closes_the_connection_at_once(
    stuck: Debuggee, length: int, compressed: int
) -> None:
    before = stuck.peak_rss()
    with raw_connect(stuck) as peer:
        peer.send_frame(b"\xff", length=length, compressed=compressed, end=b"")
        assert peer.is_closed()
    with raw_connect(stuck) as peer:
        assert peer.works()
        peer.send_frame(b"\x04\x11", length=length, compressed=compressed, end=b"")
        assert peer.is_closed()
    assert stuck.peak_rss() - before < NOISE


@pytest.mark.measures
def test_the_length_of_a_frame_takes_no_memory_before_its_bytes_are_there(stuck: Debuggee) -> None:
    before = stuck.peak_rss()
    peers = [raw_connect(stuck) for _ in range(10)]
    for peer in peers:
        peer.send_frame(b"\x01" * 1000, length=200 * MIB, end=b"")
        peer.half_close()
    for peer in peers:
        assert peer.is_closed()
        peer.sock.close()
    assert stuck.peak_rss() - before < NOISE


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_frame_that_is_cut_off_is_not_answered(stuck: Debuggee, envelope: Envelope) -> None:
    whole = good_frame(envelope)
    for count in range(len(whole) - 1):
        with raw_connect(stuck, envelope) as peer:
            peer.send(whole[:count])
            peer.half_close()
            assert peer.answer() is None, count


def test_half_a_frame_and_then_a_close_or_a_reset(stuck: Debuggee) -> None:
    before = stuck.holdings()
    for linger in (None, struct.pack("ii", 1, 0)):
        for _ in range(20):
            with raw_connect(stuck) as peer:
                if linger:
                    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                peer.send(good_frame(Envelope.RPYC6) + good_frame(Envelope.RPYC6)[:7])
    stuck.wait_until_back_to(before)
    assert_works(stuck)


def test_a_connection_that_says_nothing_is_closed_without_fuss(stuck: Debuggee) -> None:
    before = stuck.holdings()
    for _ in range(20):
        connect_socket(stuck).close()
    stuck.wait_until_back_to(before)
    assert_works(stuck)


def test_the_byte_after_a_frame_is_not_looked_at(peer: RawPeer) -> None:
    args = brine.dump((int(Handler.PING), box(("x",))))
    for end in (b"\0", b"X", b"\r"):
        peer.send_frame(payload(peer.envelope, REQUEST, b"\x51", args), end=end)
        answer = peer.answer()
        assert answer is not None
        assert answer == (REPLY, 1, (VALUE, "x"))


def test_an_empty_frame(peer: RawPeer) -> None:
    peer.send_frame(b"")
    peer.half_close()
    assert_refused(peer)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"not at all what zlib makes",
        b"\x78\x01",
        zlib.compress(b"\x01" * 5000)[:-6],
        zlib.compress(b"\x01" * 5000)[:10],
        zlib.compress(b"\x01" * 5000)[:-4] + b"\0\0\0\0",
        b"\x78\x01" + b"\xff" * 100,
        zlib.compress(b""),
        b"\x78\xbb" + zlib.compress(b"\x01" * 50)[2:],
    ],
    ids=[
        "nothing",
        "one byte",
        "text",
        "only a head",
        "no end",
        "only a start",
        "wrong checksum",
        "bad blocks",
        "of nothing",
        "with a dictionary",
    ],
)
def test_a_frame_that_is_badly_compressed(peer: RawPeer, data: bytes) -> None:
    peer.send_frame(data, compressed=1)
    peer.half_close()
    assert_refused(peer)


@pytest.mark.parametrize("flag", [2, 0x80, 0xFF])
def test_a_compression_that_does_not_exist(peer: RawPeer, flag: int) -> None:
    peer.send_frame(b"nonsense", compressed=flag)
    peer.half_close()
    assert_refused(peer)


def test_a_compressed_request_is_answered_whatever_its_size(peer: RawPeer) -> None:
    for text in ("short", "long" * 5000):
        args = brine.dump((int(Handler.PING), box((text,))))
        data = payload(peer.envelope, REQUEST, b"\x51", args)
        for level in (0, 1, 9):
            peer.send_frame(zlib.compress(data, level), compressed=1)
            assert peer.answer() == (REPLY, 1, (VALUE, text))


@pytest.mark.measures
def test_a_frame_that_inflates_without_end_is_not_followed(stuck: Debuggee, peer: RawPeer) -> None:
    """The server rejects the frame because its first bytes are not those of a message."""
    before = stuck.peak_rss()
    peer.send_frame(zlib_bomb(2048 * MIB), compressed=1)
    assert_refused(peer)
    assert stuck.peak_rss() - before < 256 * MIB + NOISE


# ---- Brine ---------------------------------------------------------------------------------------

DEEP = 100_000

BAD_BRINE = {
    "unknown tag 07": b"\x07",
    "unknown tag 1c": b"\x1c",
    "unknown tag 1f": b"\x1f",
    "unknown tag f0": b"\xf0",
    "unknown tag ff": b"\xff",
    "nothing": b"",
    "tuples 100,000 deep": b"\x10" * DEEP + b"\x02",
    "tuples 100,000 deep without end": b"\x10" * DEEP,
    "long tuples 100,000 deep": b"\x14\x01" * DEEP + b"\x02",
    "frozensets 100,000 deep": b"\x1a\x10" * DEEP + b"\x02",
    "slices 100,000 deep": b"\x19\x12" * DEEP + b"\0" * (2 * DEEP + 1),
    "strs 100,000 deep": b"\x08" * DEEP + b"\x01",
    "longs 100,000 deep": b"\x09" * DEEP + b"\x50",
    "bytes beyond the frame": b"\x0d123",
    "short bytes beyond the frame": b"\x0e\xffabc",
    "long bytes beyond the frame": b"\x0f\xff\xff\xff\xffabc",
    "long bytes of 2 GiB": b"\x0f\x7f\xff\xff\xff",
    "a length cut off": b"\x0f\x00\x00",
    "a str beyond the frame": b"\x08\x0f\xff\xff\xff\xff",
    "a tuple beyond the frame": b"\x13\x50\x50",
    "a short tuple beyond the frame": b"\x14\xff\x50",
    "a long tuple beyond the frame": b"\x15\xff\xff\xff\xff\x50",
    "a frozenset beyond the frame": b"\x1a\x15\xff\xff\xff\xff\x50",
    "an int beyond the frame": b"\x16\xff123",
    "a long int beyond the frame": b"\x17\xff\xff\xff\xff123",
    "a float cut off": b"\x18\0\0\0",
    "a complex cut off": b"\x1b" + bytes(15),
    "a slice cut off": b"\x19\x12\x50\x50",
    "a slice of two": b"\x19\x11\x50\x50",
    "a slice of no tuple": b"\x19\x50",
    "a frozenset of no tuple": b"\x1a\x50",
    "a frozenset of what has no hash": b"\x1a\x10\x1a\x19\x50",
    "a str of no bytes": b"\x08\x50",
    "a str of a str": b"\x08\x08\x0ax",
    "a long of no int": b"\x09\x02",
    "a str of broken UTF-8": b"\x08\x0c\xe2\x98x",
    "a str of UTF-8 cut off": b"\x08\x0b\xe2\x98",
    "a str with a surrogate": b"\x08\x0c\xed\xa0\x80",
    "a str of overlong UTF-8": b"\x08\x0b\xc0\x80",
    "a str beyond Unicode": b"\x08\x0d\xf4\x90\x80\x80",
    "an int of letters": b"\x16\x03abc",
    "an int of nothing": b"\x16\x00",
    "an int that is a sign": b"\x16\x01-",
    "an int with a NUL": b"\x16\x031\x002",
}


@pytest.mark.measures
@pytest.mark.parametrize("data", BAD_BRINE.values(), ids=BAD_BRINE.keys())
def test_bad_brine_as_an_argument(peer: RawPeer, stuck: Debuggee, data: bytes) -> None:
    before = stuck.peak_rss()
    args = b"\x11\x57\x11\x51\x10" + data  # CALL with (VALUE, (data,))
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", args))
    assert_refused(peer)
    assert stuck.peak_rss() - before < NOISE


#: An int of any size is valid brine; Python may reject it.
HUGE_INT = b"\x17\x00\x01\x86\xa0" + b"9" * 100_000


def test_an_int_of_100_000_digits_as_an_argument_is_refused(peer: RawPeer) -> None:
    if not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this Python has no limit")
    args = b"\x11\x57\x11\x51\x10" + HUGE_INT
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", args))
    assert_refused(peer)


@pytest.mark.parametrize("data", BAD_BRINE.values(), ids=BAD_BRINE.keys())
def test_bad_brine_is_not_echoed(stuck: Debuggee, data: bytes) -> None:
    # The reply to PING is its argument, which must be valid although no object is made of it.
    args = b"\x11\x51\x11\x51\x10" + data
    with raw_connect(stuck) as peer:
        peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", args))
        assert_refused(peer)


@pytest.mark.parametrize("data", BAD_BRINE.values(), ids=BAD_BRINE.keys())
def test_bad_brine_in_place_of_the_whole_message(stuck: Debuggee, data: bytes) -> None:
    starts = (b"", b"\x01", b"\x01\x11", b"\x01\x11\x50", b"\x12", b"\x12\x51", b"\x12\x51\x50")
    for start in starts:
        with raw_connect(stuck) as peer:
            peer.send_frame(start + data)
            peer.half_close()
            # Read as bytes: the test does not know in which envelope the error is sent.
            reply = peer.receive_frame()
            assert reply is None or reply[:1] != bytes([REPLY])


def test_values_nested_as_deeply_as_anyone_needs_are_answered(peer: RawPeer) -> None:
    value: tuple[Any, ...] = ()
    for _ in range(100):
        value = (value,)
    answer = peer.request(Handler.PING, value)
    assert answer is not None
    assert answer.args == (VALUE, value)


@pytest.mark.parametrize("depth", [150, 190, 200, 250, 500, 1000])
def test_values_nested_deeper_are_answered_or_refused(peer: RawPeer, depth: int) -> None:
    args = b"\x11\x51\x11\x51\x10" + b"\x10" * depth + b"\x02"
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", args))
    answer = peer.receive_frame()
    if answer is not None and b"\x10" * depth not in answer:
        kind = answer[0] if peer.envelope is Envelope.RPYC6 else answer[1] - 0x50
        assert kind != REPLY


# ---- Messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 4, 17, 127])
def test_a_kind_of_message_that_does_not_exist(peer: RawPeer, kind: int) -> None:
    args = brine.dump((int(Handler.PING), box(("x",))))
    peer.send_frame(payload(peer.envelope, kind, b"\x50", args))
    peer.half_close()
    assert_refused(peer)


@pytest.mark.parametrize("first", [0, 4, 5, 0x10, 0x11, 0x13, 0x50, 0xFF, ord("G")])
def test_a_first_message_of_no_known_envelope(stuck: Debuggee, first: int) -> None:
    for rest in (b"", b"\x11\x50\x50", b"x" * 100):
        with raw_connect(stuck) as peer:
            peer.send_frame(bytes([first]) + rest)
            peer.half_close()
            assert peer.receive_frame() is None


def test_another_protocol_is_hung_up_on(stuck: Debuggee) -> None:
    for greeting in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"SSH-2.0-OpenSSH_9.2\r\n" * 20,
    ):
        with raw_connect(stuck) as peer:
            peer.send(greeting)
            peer.half_close()
            assert peer.is_closed()


def test_the_envelope_cannot_change_within_a_connection(stuck: Debuggee) -> None:
    for first, second in ((5, 6), (6, 5)):
        with raw_connect(stuck, Envelope(first)) as peer:
            assert peer.works()
            peer.send(good_frame(Envelope(second)))
            peer.half_close()
            assert peer.receive_frame() is None or peer.is_closed()


@pytest.mark.parametrize("seq", [-1, -(2**63), 2**63 - 1, 2**63, 2**64, 10**30, -(10**300)])
def test_a_strange_seq_comes_back_or_ends_the_connection(peer: RawPeer, seq: int) -> None:
    peer.send(peer.request_frame(Handler.PING, box(("x",)), seq))
    answer = peer.answer()
    assert answer is None or answer == (REPLY, seq, (VALUE, "x"))


@pytest.mark.parametrize("seq", ["0", None, 1.5, (1, 2), b"", True], ids=repr)
def test_a_seq_that_is_no_int_comes_back_or_ends_the_connection(peer: RawPeer, seq: Any) -> None:
    peer.send(peer.request_frame(Handler.PING, box(("x",)), seq))
    peer.half_close()
    answer = peer.answer()
    assert answer is None or answer == (REPLY, seq, (VALUE, "x"))


@pytest.mark.parametrize("seq", [0, 1, -1, 2**40])
def test_an_answer_that_no_request_waits_for_is_dropped(peer: RawPeer, seq: int) -> None:
    vinegar = (("builtins", "KeyError"), ("x",), (), "text")
    for kind, args in ((REPLY, box("x")), (EXCEPTION, vinegar), (EXCEPTION, 1)):
        peer.send_frame(payload(peer.envelope, kind, brine.dump(seq), brine.dump(args)))
        assert peer.works()


@pytest.mark.parametrize("kind", [REPLY, EXCEPTION])
def test_a_broken_answer_to_a_request_of_the_server(peer: RawPeer, kind: int) -> None:
    function = peer.eval("lambda f: f()")
    bad = [b"\xff", b"\x50", b"\x02", b"\x11\x51", b"\x13\x50\x50\x50\x50", b"\x08\x0a\xff"]
    bad.append(brine.dump((LOCAL_REF, NO_OBJECT)))
    bad.append(brine.dump((9, 9)))
    bad.append(brine.dump((("builtins", 5), 5, 5, 5)))
    bad.append(brine.dump((("os", "system"), ("x",), (("args", 5), (5, 5)), "text")))
    for data in bad:
        boxed = (TUPLE, (box(function), (TUPLE, ((REMOTE_REF, ("x.y", 1, 2)),)), box(())))
        peer.send(peer.request_frame(Handler.CALL, boxed))
        # The server may send requests about its argument before it calls. Each gets a wrong answer.
        while (message := peer.receive()) is not None and message.kind == REQUEST:
            if message.args[0] == Handler.DEL:
                continue
            if message.args[0] == Handler.INSPECT:
                peer.reply(message, (("__call__", None),))
            else:
                peer.send_frame(payload(peer.envelope, kind, brine.dump(message.seq), data))
        if message is None:
            return
        assert message.kind == EXCEPTION, (data, message)


#: Invalid names, for the module and the class of an exception.
BAD_NAMES = [
    "\N{CJK UNIFIED IDEOGRAPH-4E00}\N{CJK UNIFIED IDEOGRAPH-4E8C}",
    "ab",
    "",
    b"ab",
    frozenset(("a", "b")),
    5,
    None,
    (),
    ("a",),
    ("a", "b", "c"),
    ("a", 5),
    (5, "a"),
    (b"a", b"b"),
    (("a",), "b"),
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
@pytest.mark.rotates(3)
def test_an_exception_whose_class_has_no_name(
    start_debuggee: Callable[..., Debuggee], name: Any
) -> None:
    # With PYTHONMALLOC=debug a use of freed memory has visible effects.
    debuggee = start_debuggee(env={"PYTHONMALLOC": "debug"})
    for envelope in ENVELOPES:
        with raw_connect(debuggee, envelope) as peer:
            call = call_back(peer, peer.eval("lambda f: f()"))
            vinegar = brine.dump((name, (), (), "text"))
            peer.send_frame(payload(envelope, EXCEPTION, brine.dump(call.seq), vinegar))
            assert_refused(peer)


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x50", b"\x11\x50", brine.dump((VALUE, ((1, 2), 3))), brine.dump((9, 9))]
)
def test_a_broken_answer_to_an_inspect(peer: RawPeer, data: bytes) -> None:
    function = peer.eval("lambda f: f.x()")
    boxed = (TUPLE, (box(function), (TUPLE, ((REMOTE_REF, ("x.Y", 1, 2)),)), box(())))
    peer.send(peer.request_frame(Handler.CALL, boxed))
    while (message := peer.receive()) is not None and message.kind == REQUEST:
        peer.send_frame(payload(peer.envelope, REPLY, brine.dump(message.seq), data))
    assert message is None or message.kind == EXCEPTION


@pytest.mark.parametrize("at_inspect", [True, False])
def test_a_client_that_hangs_up_instead_of_answering(stuck: Debuggee, at_inspect: bool) -> None:
    for envelope in ENVELOPES:
        with raw_connect(stuck, envelope) as peer:
            function = peer.eval("lambda f: f()")
            boxed = (TUPLE, (box(function), (TUPLE, ((REMOTE_REF, ("x.Y", 1, 2)),)), box(())))
            peer.send(peer.request_frame(Handler.CALL, boxed))
            if not at_inspect:
                peer.answer_inspect(("__call__", None))
            message = peer.receive()
            assert message is not None
            assert message.kind == REQUEST


# ---- Handlers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 21, 22, 111, 113, 255, -1, 2**31, 2**63, 2**64, -(10**40)])
def test_a_handler_that_does_not_exist(peer: RawPeer, number: int) -> None:
    for arguments in ((), ("x",), (1, 2, 3, 4, 5)):
        peer.send(peer.request_frame(number, box(arguments)))
        answer = peer.answer()
        if answer is None:
            return
        assert answer.kind == EXCEPTION
    assert peer.works()


@pytest.mark.parametrize("number", [0, 21, 255, -1])
def test_an_unknown_handler_is_an_exception_and_no_more(peer: RawPeer, number: int) -> None:
    assert peer.error(number, "x")
    assert peer.works()


@pytest.mark.parametrize("handler", ["PING", None, 1.0, (), b"\x01", (1,)], ids=repr)
def test_a_handler_that_is_no_number(peer: RawPeer, handler: Any) -> None:
    peer.send(peer.request_frame(handler, box(("x",))))
    peer.half_close()
    answer = peer.answer()
    assert answer is None or answer.kind == EXCEPTION or handler == 1.0


#: How many arguments each handler accepts: minimum and maximum.
ARITY = {
    Handler.PING: (1, 1),
    Handler.CLOSE: (0, 0),
    Handler.GETROOT: (0, 0),
    Handler.GETATTR: (2, 2),
    Handler.DELATTR: (2, 2),
    Handler.SETATTR: (3, 3),
    Handler.CALL: (2, 3),
    Handler.CALLATTR: (3, 4),
    Handler.REPR: (1, 1),
    Handler.STR: (1, 1),
    Handler.CMP: (2, 3),
    Handler.HASH: (1, 1),
    Handler.DIR: (1, 1),
    Handler.PICKLE: (2, 2),
    Handler.DEL: (1, 2),
    Handler.INSPECT: (1, 1),
    Handler.BUFFITER: (2, 2),
    Handler.OLDSLICING: (6, 6),
    Handler.CTXEXIT: (2, 2),
    Handler.INSTANCECHECK: (2, 2),
    Handler.STACKS: (3, 3),
}


@pytest.mark.parametrize("handler", Handler, ids=lambda handler: handler.name)
def test_the_wrong_number_of_arguments_is_a_type_error(peer: RawPeer, handler: Handler) -> None:
    least, most = ARITY[handler]
    for count in (*range(least), most + 1, most + 2, 300):
        answer = peer.request(handler, *["x"] * count)
        if handler is Handler.CLOSE and answer is None:
            return
        assert answer is not None, count
        assert error_name(answer) == "TypeError", count
        assert peer.works()


@pytest.mark.parametrize("handler", Handler, ids=lambda handler: handler.name)
def test_arguments_of_the_wrong_types_do_no_harm(peer: RawPeer, handler: Handler) -> None:
    if handler is Handler.CLOSE:
        return
    least, most = ARITY[handler]
    odd = [None, -1, 2**70, "x", b"\xff", (), (1, 2), 1.5, slice(1), frozenset(), Ellipsis]
    for value in odd:
        for count in range(least, most + 1):
            assert peer.request(handler, *[value] * count) is not None, value
    assert peer.works()


@pytest.mark.parametrize("handler", Handler, ids=lambda handler: handler.name)
def test_a_target_of_a_wrong_type_does_no_harm(peer: RawPeer, handler: Handler) -> None:
    if handler in (Handler.CLOSE, Handler.GETROOT, Handler.PING):
        return
    _, most = ARITY[handler]
    for text in ("[]", "lambda *a, **k: (a, k)", "__import__('sys')", "iter([1])", "type"):
        for value in (None, -1, 2**70, "x", b"\xff", (), (1, 2), Ellipsis):
            target = peer.eval(text)
            assert peer.request(handler, target, *[value] * (most - 1)) is not None
    assert peer.works()


@pytest.mark.parametrize(
    "boxed", [(VALUE, 5), (VALUE, None), (VALUE, "ab"), (VALUE, frozenset()), (TUPLE, ())], ids=repr
)
def test_arguments_that_are_no_tuple(peer: RawPeer, boxed: Any) -> None:
    for handler in (Handler.PING, Handler.GETATTR, Handler.CALL):
        peer.send(peer.request_frame(handler, boxed))
        answer = peer.answer()
        if answer is None:
            return
        assert answer.kind in (REPLY, EXCEPTION)


@pytest.mark.parametrize(
    "args",
    [5, None, (), (1,), (1, 2, 3), (1, ()), (1, (1,)), (1, (1, 2, 3)), (1, ("a", "b")), (1, 5)],
    ids=repr,
)
def test_a_request_that_is_none(peer: RawPeer, args: Any) -> None:
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", brine.dump(args)))
    peer.half_close()
    assert_refused(peer)


def test_bytes_after_a_message_are_refused_or_not_looked_at(peer: RawPeer) -> None:
    args = brine.dump((int(Handler.PING), box(("x",))))
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", args + b"\xff\xff"))
    answer = peer.answer()
    assert answer is None or answer.kind == EXCEPTION or answer == (REPLY, 0, (VALUE, "x"))


@pytest.mark.parametrize("label", [0, 5, 9, -1, 255, 2**70, "1", None, (), 1.5], ids=repr)
def test_a_label_that_does_not_exist(peer: RawPeer, label: Any) -> None:
    for boxed in ((label, ("x",)), (TUPLE, ((label, "x"),)), (TUPLE, ((VALUE, 1), (label, 1)))):
        peer.send(peer.request_frame(Handler.CALL, boxed))
        answer = peer.answer()
        if answer is None:
            return
        assert answer.kind == EXCEPTION


def test_boxes_in_boxes_100_000_deep(peer: RawPeer) -> None:
    boxed = b"\x11\x52\x10" * DEEP + b"\x11\x51\x50"
    peer.send_frame(payload(peer.envelope, REQUEST, b"\x50", b"\x11\x51" + boxed))
    assert_refused(peer)


# ---- References ----------------------------------------------------------------------------------

BAD_ID_PACKS = [
    NO_OBJECT,
    ("builtins.list", 0, 0),
    ("", -1, -1),
    ("builtins.list", 2**64, 2**70),
    ("builtins.list", -(2**70), 5),
    ("x" * 100_000, 1, 2),
    ("nul\0in it", 1, 2),
    (b"builtins.list", 1, 2),
    (None, 1, 2),
    ("builtins.list", "1", "2"),
    ("builtins.list", 1.5, None),
    ("builtins.list", 1),
    ("builtins.list", 1, 2, 3),
    ("builtins.list", (1,), 2),
    (),
    None,
    5,
    "builtins.list",
]


@pytest.mark.parametrize("id_pack", BAD_ID_PACKS, ids=lambda id_pack: repr(id_pack)[:40])
def test_an_id_pack_that_is_not_in_the_table(peer: RawPeer, id_pack: Any) -> None:
    for handler in (Handler.REPR, Handler.CALL, Handler.DEL, Handler.GETATTR, Handler.CTXEXIT):
        boxed = (TUPLE, ((LOCAL_REF, id_pack), box(()), box("x"))[: ARITY[handler][0]])
        peer.send(peer.request_frame(handler, boxed))
        answer = peer.answer()
        if answer is None:
            return
        assert answer.kind == EXCEPTION
    for handler in (Handler.INSPECT, Handler.INSTANCECHECK):
        if peer.request(handler, *([id_pack] * ARITY[handler][0])) is None:
            return
    assert peer.works()


def test_an_unknown_id_pack_is_a_key_error(peer: RawPeer) -> None:
    assert peer.error(Handler.REPR, Ref(NO_OBJECT)) == "KeyError"
    assert peer.error(Handler.DEL, Ref(NO_OBJECT)) == "KeyError"
    assert peer.error(Handler.INSPECT, NO_OBJECT) == "KeyError"
    assert peer.works()


def test_every_item_of_an_id_pack_counts(peer: RawPeer) -> None:
    name, class_id, instance_id = peer.eval("[1]").id_pack
    for wrong in (
        ("builtins.tuple", class_id, instance_id),
        (name, class_id + 1, instance_id),
        (name, class_id, instance_id + 1),
        (name, class_id, 0),
        (name, instance_id, class_id),
    ):
        assert peer.error(Handler.REPR, Ref(wrong)) == "KeyError"
    assert peer.value(Handler.REPR, Ref((name, class_id, instance_id))) == "[1]"


def test_an_object_of_another_client_is_not_in_the_table(peer: RawPeer, stuck: Debuggee) -> None:
    held = peer.eval("[1]")
    with raw_connect(stuck) as other:
        assert other.error(Handler.REPR, held) == "KeyError"
        assert other.error(Handler.DEL, held) == "KeyError"
    assert peer.value(Handler.REPR, held) == "[1]"


def test_what_was_given_back_is_no_longer_in_the_table(peer: RawPeer) -> None:
    held = peer.eval("[1]")
    peer.value(Handler.DEL, held, 1)
    assert peer.error(Handler.REPR, held) == "KeyError"
    assert peer.error(Handler.DEL, held, 1) == "KeyError"
    assert peer.works()


def test_an_object_is_kept_as_often_as_it_was_sent(peer: RawPeer) -> None:
    peer.value(Handler.CALLATTR, peer.root(), "execute", ("held = [1]",))
    refs = [peer.eval("held") for _ in range(5)]
    assert len(set(refs)) == 1
    peer.value(Handler.DEL, refs[0])
    peer.value(Handler.DEL, refs[0], 3)
    assert peer.value(Handler.REPR, refs[0]) == "[1]"
    peer.value(Handler.DEL, refs[0], 1)
    assert peer.error(Handler.REPR, refs[0]) == "KeyError"


@pytest.mark.parametrize("count", [2, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 + 1, 10**40])
def test_giving_back_more_than_was_had(peer: RawPeer, count: int) -> None:
    held = peer.eval("[1]")
    assert peer.request(Handler.DEL, held, count) is not None
    again = peer.eval("[2]")
    assert peer.value(Handler.REPR, again) == "[2]"
    assert peer.works()


@pytest.mark.parametrize("count", [0, -1, -(2**31), -(2**63), -(10**40)])
def test_giving_back_less_than_nothing(peer: RawPeer, count: int) -> None:
    held = peer.eval("[1]")
    assert peer.request(Handler.DEL, held, count) is not None
    assert peer.value(Handler.REPR, held) == "[1]"
    # The client must give back as many references as before.
    peer.value(Handler.DEL, held, 1)
    assert peer.error(Handler.REPR, held) == "KeyError"


@pytest.mark.parametrize("count", ["1", None, 1.0, (), b"\x01"], ids=repr)
def test_a_count_that_is_no_number(peer: RawPeer, count: Any) -> None:
    held = peer.eval("[1]")
    assert peer.request(Handler.DEL, held, count) is not None
    assert peer.works()


def test_the_root_can_be_had_again_after_it_was_given_back(peer: RawPeer) -> None:
    for _ in range(3):
        root = peer.root()
        peer.request(Handler.DEL, root, 1000)
    assert peer.eval("1+1") == 2


def test_objects_of_a_client_that_never_answers_about_them(peer: RawPeer, stuck: Debuggee) -> None:
    function = peer.eval("lambda *things: None")
    things = tuple((REMOTE_REF, (f"some.Thing{n}", n, n + 1)) for n in range(50))
    peer.send(peer.request_frame(Handler.CALL, (TUPLE, (box(function), (TUPLE, things), box(())))))
    asked = 0
    peer.half_close()
    while (message := peer.receive()) is not None:
        asked += message.kind == REQUEST
    assert asked >= 1  # about the things, which is not answered
    assert_works(stuck)


def test_requests_within_requests_without_end(peer: RawPeer) -> None:
    function = peer.eval("lambda f: f()")
    boxed = (TUPLE, (box(function), (TUPLE, ((REMOTE_REF, ("x.y", 1, 2)),)), box(())))
    for _ in range(5000):
        peer.send(peer.request_frame(Handler.CALL, boxed))
        message = peer.receive()
        if message is not None and message.kind == REQUEST and message.args[0] == Handler.INSPECT:
            peer.reply(message, (("__call__", None),))
            message = peer.receive()
        if message is None or message.kind != REQUEST:
            break
    assert message is None or error_name(message) == "RecursionError"


# ---- All at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_valid_session_one_byte_at_a_time(stuck: Debuggee, envelope: Envelope) -> None:
    with raw_connect(stuck, envelope) as peer:
        for seq in range(3):
            for byte in peer.request_frame(Handler.GETROOT, box(()), seq):
                peer.send(bytes([byte]))
            answer = peer.answer()
            assert answer is not None
            assert (answer.kind, answer.seq) == (REPLY, seq)
            assert answer.args[0] == REMOTE_REF


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_thousand_requests_in_one_piece(stuck: Debuggee, envelope: Envelope) -> None:
    with raw_connect(stuck, envelope) as peer:
        frames = [peer.request_frame(Handler.PING, box((n,)), n) for n in range(1000)]
        peer.send(b"".join(frames))
        assert [peer.answer() for _ in range(1000)] == [(REPLY, n, (VALUE, n)) for n in range(1000)]


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_client_that_does_not_read_its_answers(
    stuck: Debuggee, envelope: Envelope, bystander: Any
) -> None:
    with raw_connect(stuck, envelope) as idle, raw_connect(stuck, envelope) as flood:
        text = "__import__('os').urandom(20_000_000)"
        root = idle.root()
        idle.send(idle.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        flood.sock.settimeout(0.1)
        ping = flood.request_frame(Handler.PING, box((b"x" * 60_000,)))
        with pytest.raises(socket.timeout):
            while True:
                flood.sock.sendall(ping)
        for _ in range(100):
            assert bystander.eval("1+1") == 2


def assert_works(debuggee: Debuggee) -> None:
    """Checks that the next client is served."""
    with raw_connect(debuggee) as peer:
        assert peer.works()


def drain(peer: RawPeer) -> None:
    """Reads the answers to bad input, up to the end."""
    figures.add("bad inputs")
    peer.half_close()
    while True:
        try:
            if not peer.sock.recv(65536):
                return
        except ConnectionError:
            return


def test_random_bytes(stuck: Debuggee) -> None:
    chance = random.Random(20)
    for _ in range(300):
        with raw_connect(stuck) as peer:
            data = chance.randbytes(chance.choice([1, 5, 6, 20, 100, 4000]))
            if chance.random() < 0.7:  # in a valid frame
                start = chance.choice([b"", b"\x01\x11\x50\x11", b"\x12\x51\x50\x11"])
                data = frame(start + data)
            peer.send(data)
            drain(peer)
    assert_works(stuck)


@pytest.mark.rotates(3)
def test_valid_frames_with_some_bytes_changed(stuck: Debuggee) -> None:
    chance = random.Random(21)
    for _ in range(300):
        envelope = chance.choice(ENVELOPES)
        with raw_connect(stuck, envelope) as peer:
            root = peer.root()
            # Only harmless handlers, because the server may execute the changed request.
            handler = chance.choice([Handler.PING, Handler.REPR, Handler.DIR, Handler.HASH])
            whole = bytearray(peer.request_frame(handler, box((root,))))
            for _ in range(chance.randint(1, 4)):
                # Does not change the length: the server would rightly wait for more data.
                whole[chance.randrange(5, len(whole) - 1)] = chance.randrange(256)
            peer.send(bytes(whole))
            drain(peer)
    assert_works(stuck)


@pytest.mark.measures
def test_thousands_of_bad_connections_leave_nothing_behind(
    start_debuggee: Callable[..., Debuggee],
) -> None:
    """With one arena: malloc keeps some megabytes for each arena, and creates more if more threads
    run at the same time, which depends on the load of the machine."""
    stuck = start_debuggee(env={"MALLOC_ARENA_MAX": "1"})
    bad = [
        b"",
        frame(b"", length=0xFFFFFFFF),
        good_frame(Envelope.RPYC6)[:9],
        frame(b"\xff" * 40),
        frame(b"\x01\x11\x50\x11\x57\x11\x51\x10" + b"\x10" * 5000),
        frame(b"not zlib", compressed=1),
        good_frame(Envelope.RPYC6) + frame(b"\x01\x07"),
        good_frame(Envelope.RPYC5) + frame(b"\x12\x07"),
        frame(payload(Envelope.RPYC6, REQUEST, b"\x50", brine.dump((99, (1, ()))))),
        frame(payload(Envelope.RPYC6, REQUEST, b"\x50", brine.dump((9, (2, ((3, NO_OBJECT),)))))),
    ]

    def do_all(times: int) -> None:
        for _ in range(times):
            for data in bad:
                with raw_connect(stuck) as peer:
                    peer.send(data)
                    drain(peer)

    holdings = stuck.holdings()
    do_all(50)
    stuck.wait_until_back_to(holdings)
    growth: list[int] = []
    while not growth or min(growth) > (32 * MIB if SANITIZED else 4 * MIB):
        assert len(growth) < 3, growth  # a leak grows each time
        before = stuck.rss()
        do_all(500)
        stuck.wait_until_back_to(holdings)
        growth.append(stuck.rss() - before)
