# SPDX-License-Identifier: BSD-3-Clause
"""The limits that run_server takes: max_clients, max_frame, max_decompressed, max_depth, max_items,
handshake_timeout, max_objects and send_timeout."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from certificates import Files
from harness import (
    OBEY,
    PATIENCE,
    RPYC4,
    RPYC5,
    RPYC5_BOUND,
    RPYC6,
    RPYC6_BOUND,
    SANITIZED,
    THREAD_SANITIZED,
    Debuggee,
    Stock,
    build_setting,
    debuggee_environment,
    python,
    start_error,
    tell,
    wait_until,
)
from rawpeer import (
    ENVELOPES,
    EXCEPTION,
    REMOTE_REF,
    REPLY,
    REQUEST,
    TUPLE,
    VALUE,
    Envelope,
    Handler,
    Message,
    RawPeer,
    box,
    call_back,
    connect_socket,
    error_name,
    frame,
    pass_object,
    payload,
    raw_connect,
    stop_reading,
    zlib_bomb,
)
from rpyc.core import brine
from tls_clients import needs_tls

Start = Callable[..., Debuggee]

MIB = 1 << 20

#: Seconds for a timeout that ends soon, and is still long enough to send something.
SHORT = 2.0 if SANITIZED else 0.4


@pytest.fixture
def start(start_debuggee: Start) -> Start:
    """Starts a program that prints its logger's messages, with these arguments of run_server."""
    path = os.environ.get("LIBRPYC_SSL_PATH", "")

    def start_it(**options: Any) -> Debuggee:
        return start_debuggee("logged.py", env={"LD_LIBRARY_PATH": path}, **options)

    return start_it


def assert_told(debuggee: Debuggee, expected: str) -> None:
    assert debuggee.read_line() == f"WARNING {expected}"


# ---- max_clients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3])
def test_more_clients_than_are_allowed_are_refused(most: int, start: Start) -> None:
    debuggee = start(max_clients=most)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(most)]
        assert all(peer.works() for peer in peers)
        with raw_connect(debuggee) as refused:
            assert refused.is_closed()
        assert_told(debuggee, f"a client was refused: too many clients (max_clients is {most})")
        peers[0].sock.close()

        def is_let_in() -> bool:
            with raw_connect(debuggee) as peer:
                return peer.works()

        wait_until(is_let_in, "room for another one")
        assert all(peer.works() for peer in peers[1:])


def test_very_many_clients_are_watched_if_they_are_allowed(start_debuggee: Start) -> None:
    """The requests block: the listener detects that the clients disconnect."""
    count = 300
    debuggee = start_debuggee("plain.py", arguments=("", OBEY), max_clients=count)
    debuggee.ended = True
    debuggee.write("\n")
    block = "import threading\nblocked, lock = [], threading.Lock()\nlock.acquire()"
    assert tell(debuggee, block) is None
    with contextlib.ExitStack() as stay:
        with contextlib.ExitStack() as stack:
            for _ in range(count - 20):
                peer = stack.enter_context(raw_connect(debuggee))
                block = peer.eval("lambda main: (main.blocked.append(1), main.lock.acquire())")
                main = peer.eval("__import__('__main__')")
                peer.send(peer.request_frame(Handler.CALL, box((block, (main,)))))
            check = f"assert len(blocked) == server.clients == {count - 20}"
            wait_until(lambda: tell(debuggee, check) is None, "the requests to block")
            idle = [stay.enter_context(raw_connect(debuggee)) for _ in range(20)]
            assert all(peer.works() for peer in idle)
            with raw_connect(debuggee) as refused:
                assert refused.is_closed()
        check = "assert server.clients == 20"
        wait_until(lambda: tell(debuggee, check) is None, "them to be gone")
        assert all(peer.works() for peer in idle)
    debuggee.popen.stdin.close()
    assert debuggee.read_rest() == "went on\n"
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_clients_that_have_gone_are_counted_while_they_are_served(start: Start) -> None:
    """The listener cannot know that clients have gone that only stop sending: they make a request
    and do not read its reply."""
    debuggee = start(max_clients=3)
    before = debuggee.holdings()
    with contextlib.ExitStack() as stack:

        def ask_and_leave() -> bool:
            peer = stack.enter_context(raw_connect(debuggee))
            if not peer.works():
                return False
            stop_reading(peer)
            peer.sock.shutdown(socket.SHUT_WR)
            return True

        for _ in range(6):  # three; three more after the listener knows that those left
            wait_until(ask_and_leave, "room for another one")
        assert not any(ask_and_leave() for _ in range(20))
        wait_until(lambda: len(debuggee.threads()) == len(before[1]) + 6, "one thread for each")
    debuggee.wait_until_back_to(before)
    with raw_connect(debuggee) as peer:
        assert peer.works()
    debuggee.ended = True
    debuggee.write("go on\n")
    told = debuggee.read_rest().splitlines()
    assert told.pop() == "went on"
    assert told == ["WARNING a client was refused: too many clients (max_clients is 3)"]
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


# ---- max_frame -----------------------------------------------------------------------------------


def assert_over(answer: Message | None, limit: str, seq: int) -> None:
    """Checks that a request is answered with an exception that names the limit."""
    assert answer is not None, "the connection has ended"
    assert error_name(answer) == "ValueError"
    assert limit in answer.args[1][0]
    assert answer.seq == seq


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_message_that_is_longer_than_allowed_is_answered_with_an_exception(
    envelope: Envelope, compressed: bool, start: Start
) -> None:
    """The first message of a client, which shows the envelope, gets an exception, too."""
    debuggee = start(max_frame=10_000)
    noise = os.urandom(200_000)
    with raw_connect(debuggee, envelope) as peer:
        for seq in range(3):
            too_long = peer.request_frame(Handler.PING, box((noise,)), seq)
            if compressed:
                too_long = frame(zlib.compress(too_long[5:-1]), compressed=1)
            peer.send(too_long)
            assert_over(peer.answer(), "it is longer than max_frame (10000)", seq)
            assert peer.works()
        fits = peer.request_frame(Handler.PING, box((b"x" * 9_900,)))
        peer.send(too_long + fits + too_long)
        assert_over(peer.answer(), "max_frame", 2)
        assert peer.answer() is not None
        assert_over(peer.answer(), "max_frame", 2)


@pytest.mark.measures
@pytest.mark.rotates(3)
def test_a_message_that_is_longer_than_allowed_takes_no_memory(start: Start) -> None:
    debuggee = start(max_frame=MIB)
    with raw_connect(debuggee) as peer:
        assert peer.works()
        debuggee.reset_peak_rss()
        before = debuggee.peak_rss()
        for flag, make in ((0, bytes), (1, zlib.compress)):
            data = make(peer.request_frame(Handler.PING, box((os.urandom(64 * MIB),)), 5)[5:-1])
            peer.send(frame(data, compressed=flag))
            assert_over(peer.answer(), "max_frame", 5)
        assert debuggee.peak_rss() - before < 4 * MIB
        assert peer.works()


def test_the_rest_of_a_message_that_is_too_long_has_to_come(start: Start) -> None:
    debuggee = start(max_frame=10_000, send_timeout=SHORT)
    with raw_connect(debuggee) as peer:
        peer.send(peer.request_frame(Handler.PING, box((b"x" * 100_000,)))[:50_000])
        assert_over(peer.answer(), "max_frame", 0)
        assert peer.is_closed()
    assert_told(
        debuggee, "client 0 was disconnected: the peer stopped sending in the middle of a message"
    )


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_message_that_inflates_to_more_than_allowed_is_answered_with_an_exception(
    envelope: Envelope, start: Start
) -> None:
    debuggee = start(max_frame=10_000)
    with raw_connect(debuggee, envelope) as peer:
        for seq, size in enumerate((10_000, 20_000, 2_000_000)):
            long = peer.request_frame(Handler.PING, box((b"x" * size,)), seq)[5:-1]
            peer.send(frame(zlib.compress(long), compressed=1))
            assert_over(peer.answer(), "it inflates to more than max_decompressed (10000)", seq)
        short = peer.request_frame(Handler.PING, box((b"x" * 9_900,)))[5:-1]
        peer.send(frame(zlib.compress(short), compressed=1))
        answer = peer.answer()
        assert answer is not None
        assert answer.kind == REPLY


def test_a_bomb_that_is_no_message_ends_the_connection(start: Start) -> None:
    debuggee = start(max_frame=10_000)
    with raw_connect(debuggee) as peer:
        peer.send(frame(zlib_bomb(MIB), compressed=1))
        assert peer.is_closed()
    assert_told(debuggee, "client 0 was disconnected: the peer does not use the RPyC protocol")


@pytest.mark.parametrize("kind", [REPLY, EXCEPTION])
def test_an_answer_to_the_program_that_is_too_long_is_an_exception_there(
    kind: int, start: Start
) -> None:
    with raw_connect(start(max_frame=10_000)) as peer:
        asked = call_back(peer, peer.eval("lambda f: len(f())"))
        args = brine.dump((VALUE, b"x" * 20_000))
        peer.send_frame(payload(peer.envelope, kind, brine.dump(asked.seq), args))
        answer = peer.answer()
        assert answer is not None
        assert error_name(answer) == "ValueError"
        assert "the client's reply was refused: it is longer than max_frame (10000)" in str(
            answer.args[1][0]
        )
        assert peer.works()


def test_a_close_that_is_too_long_closes(start: Start) -> None:
    with raw_connect(start(max_frame=10_000)) as peer:
        assert peer.works()
        peer.send(peer.request_frame(Handler.CLOSE, box((b"x" * 20_000,))))
        assert peer.is_closed()


def test_the_objects_in_an_answer_that_is_too_long_do_no_harm(start: Start) -> None:
    """The reply is discarded: no thread waits for it, and the server does not know its objects."""
    with raw_connect(start(max_frame=10_000)) as peer:
        assert peer.works()
        boxed = (TUPLE, tuple((REMOTE_REF, ("a.b", 1, n)) for n in range(2000)))
        peer.send_frame(payload(peer.envelope, REPLY, brine.dump(77), brine.dump(boxed)))
        assert peer.works()


@pytest.mark.parametrize("client", [RPYC4, RPYC5, RPYC6, RPYC5_BOUND, RPYC6_BOUND], ids=str)
@pytest.mark.rotates(5)
def test_a_stock_client_is_told_what_was_too_long(client: Stock, start: Start) -> None:
    debuggee = start(max_frame=100_000)
    code = """
import os, rpyc, sys
c = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))
for data in (os.urandom(10_000_000), bytes(10_000_000)):
    try:
        c.modules.zlib.crc32(data)
    except ValueError as error:
        print(str(error).splitlines()[0])
    print(c.modules.zlib.crc32(b"x"))
try:
    c.eval("lambda f: f()")(lambda: os.urandom(10_000_000))
except ValueError as error:
    print(str(error).splitlines()[0])
print(c.modules.zlib.crc32(b"x"))
"""
    done = subprocess.run(
        [python(), "-c", code, str(debuggee.port)],
        env=client.environment(),
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    x = str(zlib.crc32(b"x"))
    assert done.stdout.splitlines() == [
        "the request was refused: it is longer than max_frame (100000)",
        x,
        "the request was refused: it inflates to more than max_decompressed (100000)",
        x,
        "the client's reply was refused: it is longer than max_frame (100000)",
        x,
    ], done.stderr


def test_what_a_client_is_sent_may_be_longer(start: Start) -> None:
    with raw_connect(start(max_frame=1024)) as peer:
        assert peer.eval("b'x' * 100_000") == b"x" * 100_000


@pytest.mark.rotates(6)
def test_longer_messages_than_usual_may_be_allowed(start: Start) -> None:
    if SANITIZED:
        pytest.skip("takes too much memory")
    for most, error in ((300 * MIB, "KeyError"), (256 * MIB, "ValueError")):
        debuggee = start(max_frame=most)
        with raw_connect(debuggee) as peer:
            assert peer.works()
            long = peer.request_frame(99, box((bytes(257 * MIB),)))[5:-1]
            peer.send(frame(zlib.compress(long, 1), compressed=1))
            answer = peer.answer()
            assert answer is not None
            assert error_name(answer) == error


# ---- max_decompressed ----------------------------------------------------------------------------


def test_less_may_be_allowed_once_it_is_decompressed(start: Start) -> None:
    debuggee = start(max_decompressed=10_000)
    with raw_connect(debuggee) as peer:
        long = peer.request_frame(Handler.PING, box((b"x" * 20_000,)))
        peer.send(long)
        assert peer.answer() is not None
        peer.send(frame(zlib.compress(long[5:-1]), compressed=1))
        assert_over(peer.answer(), "it inflates to more than max_decompressed (10000)", 0)
        assert peer.works()


def test_more_may_be_allowed_once_it_is_decompressed(start: Start) -> None:
    with raw_connect(start(max_frame=1024, max_decompressed=100_000)) as peer:
        long = peer.request_frame(Handler.PING, box((b"x" * 50_000,)))
        peer.send(frame(zlib.compress(long[5:-1]), compressed=1))
        assert peer.answer() == (REPLY, 0, (VALUE, b"x" * 50_000))


# ---- max_depth, max_items ------------------------------------------------------------------------


def nested(depth: int) -> tuple[Any, ...]:
    """Returns this many tuples, nested."""
    value: tuple[Any, ...] = ()
    for _ in range(depth - 1):
        value = (value,)
    return value


#: The nesting around a value in a message: its envelope, and boxes.
AROUND = 12


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("most", [50, 200])
def test_values_in_a_message_are_nested_no_deeper_than_allowed(
    most: int, envelope: Envelope, start: Start
) -> None:
    with raw_connect(start(max_depth=most), envelope) as peer:
        deep = nested(most - AROUND)
        for value, works in ((deep, True), (nested(most + 1), False), (deep, True)):
            answer = peer.request(Handler.CALL, peer.eval("type"), (value,))
            assert answer is not None
            assert (answer.kind == REPLY) == works
            if not works:
                assert error_name(answer) == "ValueError"
                assert f"it is nested deeper than max_depth ({most})" in answer.args[1][0]


def test_a_value_that_is_not_decoded_has_the_same_max_depth(start: Start) -> None:
    with raw_connect(start(max_depth=50)) as peer:
        assert peer.request(Handler.PING, nested(50 - AROUND)) is not None
        answer = peer.request(Handler.PING, nested(51))
        assert answer is None or answer.kind != REPLY


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_message_has_no_more_values_than_allowed(envelope: Envelope, start: Start) -> None:
    with raw_connect(start(max_items=1000), envelope) as peer:
        length = peer.eval("len")
        for items, works in ((900, True), (1001, False), (900, True)):
            answer = peer.request(Handler.CALL, length, (tuple(range(items)),))
            assert answer is not None
            assert (answer.kind == REPLY) == works
            if not works:
                assert error_name(answer) == "ValueError"
                assert "it has more items than max_items (1000)" in answer.args[1][0]


def test_values_are_counted_wherever_they_are(start: Start) -> None:
    with raw_connect(start(max_items=1000)) as peer:
        length = peer.eval("len")
        rows = tuple((n, n) for n in range(400))  # 1,200 with the rows themselves
        answer = peer.request(Handler.CALL, length, (rows,))
        assert answer is not None
        assert answer.kind != REPLY


@pytest.mark.measures
def test_what_is_too_much_takes_no_memory(start: Start) -> None:
    if SANITIZED:
        pytest.skip("its allocator keeps memory for itself")
    debuggee = start()
    with raw_connect(debuggee) as peer:
        length = peer.eval("len")
        debuggee.reset_peak_rss()
        before = debuggee.peak_rss()
        assert peer.request(Handler.CALL, length, (b"x" * 17 * MIB,)) is not None
        bytes_alone = debuggee.peak_rss() - before
        debuggee.reset_peak_rss()
        too_many = b"\x15" + (17 * MIB).to_bytes(4, "big") + brine.dump(0) * 17 * MIB
        # (CALL, (TUPLE, ((LOCAL_REF, length), (VALUE, (too_many,)), (VALUE, ()))))
        call = b"\x11" + brine.dump(int(Handler.CALL)) + b"\x11" + brine.dump(TUPLE) + b"\x12"
        values = brine.dump(box(length)) + b"\x11" + brine.dump(VALUE) + b"\x10" + too_many
        args = call + values + brine.dump(box(()))
        peer.send_frame(payload(peer.envelope, REQUEST, brine.dump(999), args))
        answer = peer.answer()
        assert answer is not None
        assert error_name(answer) == "ValueError"
        assert debuggee.peak_rss() - before < 2 * bytes_alone


@pytest.mark.parametrize(("items", "works"), [(900, True), (1001, False)])
def test_answers_to_the_program_have_the_same_limits(items: int, works: bool, start: Start) -> None:
    with raw_connect(start(max_items=1000)) as peer:
        asked = call_back(peer, peer.eval("lambda f: len(f())"))
        peer.reply(asked, tuple(range(items)))
        answer = peer.answer()
        assert answer is not None
        if works:
            assert answer.args == (VALUE, items)
        else:
            assert error_name(answer) == "ValueError"
            assert "the client's reply was refused" in answer.args[1][0]
        assert peer.works()


# ---- Long messages, one at a time ----------------------------------------------------------------

LONG = b"x" * 2 * MIB

#: The class of an object about which the server must ask the client.
UNKNOWN = (REMOTE_REF, ("some.unknown", 1, 2))


def long_call(peer: RawPeer, *boxed: Any) -> bytes:
    """Returns the frame of a long call of len() or a similar function, with these arguments as
    well."""
    function = peer.eval("lambda data, *more: len(data)")
    arguments = (TUPLE, ((VALUE, LONG), *boxed))
    return peer.request_frame(Handler.CALL, (TUPLE, (box(function), arguments, box(()))), 7)


def assert_served(peer: RawPeer) -> None:
    peer.send(long_call(peer))
    answer = peer.answer()
    assert answer is not None
    assert answer.args == (VALUE, len(LONG))


@contextlib.contextmanager
def held_turn(debuggee: Debuggee) -> Iterator[RawPeer]:
    """A client whose long message has arrived, and that does not answer INSPECT for an object in
    it."""
    with raw_connect(debuggee) as holder:
        holder.send(long_call(holder, UNKNOWN))
        asked = holder.receive()
        assert asked is not None
        assert asked.args[0] == Handler.INSPECT
        yield holder


@pytest.mark.measures
def test_long_messages_of_many_clients_take_the_memory_of_one(start: Start) -> None:
    size, count = 64 * MIB, 8
    debuggee = start(max_frame=size + MIB, handshake_timeout=None)
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(raw_connect(debuggee))
        assert small.works()
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(count)]
        long = peers[0].request_frame(99, box((bytes(size),)), 1)[5:-1]
        bomb = frame(zlib.compress(long), compressed=1)
        debuggee.reset_peak_rss()
        before = debuggee.peak_rss()
        for peer in peers:
            peer.send(bomb)
        assert small.works()
        for peer in peers:
            answer = peer.answer()
            assert answer is not None
            assert error_name(answer) == "KeyError"
            assert small.works()
        assert debuggee.peak_rss() - before < (4 if SANITIZED else 1.5) * size


@pytest.mark.measures
def test_long_answers_to_pings_that_are_not_read_are_limited(start: Start) -> None:
    size, count = 16 * MIB, 8
    debuggee = start(max_frame=2 * size)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw_connect(debuggee)) for _ in range(count)]
        assert all(peer.works() for peer in peers)
        long = peers[0].request_frame(Handler.PING, box((b"x" * size,)), 1)[5:-1]
        debuggee.reset_peak_rss()
        before = debuggee.peak_rss()
        for peer in peers:
            peer.send(frame(zlib.compress(long), compressed=1))
        for peer in peers:
            peer.wait_readable()
        assert (
            debuggee.peak_rss() - before
            < (24 if THREAD_SANITIZED else 8 if SANITIZED else 4) * size
        )
        answers = [peer.answer() for peer in peers]
        kinds = [answer.kind for answer in answers if answer is not None]
        assert len(kinds) == count
        assert 1 <= kinds.count(REPLY) < count
        assert {error_name(answer) for answer in answers if answer.kind == EXCEPTION} == {
            "MemoryError"
        }
        assert_served(peers[0])
        peers[0].send(frame(zlib.compress(long), compressed=1))  # what was read does not count
        assert peers[0].answer().kind == REPLY


@pytest.mark.parametrize("slow", ["stopped", "a byte at a time"])
def test_a_slow_long_message_does_not_hold_up_others(slow: str, start: Start) -> None:
    debuggee = start()
    with raw_connect(debuggee) as sender, raw_connect(debuggee) as other:
        whole = long_call(sender)
        sender.send(whole[: MIB + 100_000])
        over = threading.Event()

        def trickle() -> None:
            rest = memoryview(whole)[MIB + 100_000 :]
            while slow != "stopped" and not over.wait(0.01):
                sender.sock.sendall(rest[:1])
                rest = rest[1:]
            over.wait()
            sender.sock.sendall(rest)

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            for _ in range(3):
                assert_served(other)
        finally:
            over.set()
            thread.join()
        answer = sender.answer()
        assert answer is not None
        assert answer.args == (VALUE, len(LONG))


def test_slow_long_messages_do_not_add_up(start: Start) -> None:
    """At most one slow client may have a long message in memory at a time."""
    debuggee = start(max_frame=3 * MIB)
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(raw_connect(debuggee)) for _ in range(3)]
        for sender in senders:
            sender.send(long_call(sender)[: -MIB // 8])
        with raw_connect(debuggee) as other:
            assert_served(other)
        line = debuggee.read_line()
        assert line.endswith(
            "was disconnected: the peer sends a message of over 1 MB too slowly, while other peers "
            "wait to send long messages"
        )
        hung_up_on = int(line.split()[2])
        assert senders[hung_up_on].is_closed()
        del senders[hung_up_on]
        debuggee.ended = True


def test_what_a_client_had_sent_does_not_count_once_it_is_gone(start: Start) -> None:
    """The program may still hold an object of the client."""
    keep = "lambda f: vars(__import__('__main__')).setdefault('kept', []).append(f)"
    debuggee = start(max_frame=3 * MIB)
    with raw_connect(debuggee) as other:
        assert other.works()
        before = debuggee.holdings()
        for _ in range(3):
            with raw_connect(debuggee) as sender:
                pass_object(sender, sender.eval(keep), "method")
                assert sender.answer() is not None
                sender.send(long_call(sender)[: -MIB // 8])
                assert_served(other)
            debuggee.wait_until_back_to(before)
        assert other.works()
    debuggee.ended = True
    debuggee.write("go on\n")
    assert "too slowly" not in debuggee.read_rest()
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_who_holds_others_up_is_hung_up_on(start: Start) -> None:
    debuggee = start()
    with held_turn(debuggee) as holder, raw_connect(debuggee) as other:
        assert_served(other)
        assert holder.is_closed()
    assert_told(
        debuggee,
        "client 0 was disconnected: the peer sent a message of over 1 MB and does not answer the "
        "questions about the objects in it, while other peers wait to send long messages",
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_long_message_waits_for_its_turn_only_so_long(first: bool, start: Start) -> None:
    timeout = "handshake_timeout" if first else "send_timeout"
    debuggee = start(**{timeout: SHORT})
    with held_turn(debuggee), raw_connect(debuggee) as waiter, raw_connect(debuggee) as small:
        if not first:
            assert waiter.works()
        assert small.works()
        waiter.send(waiter.request_frame(Handler.PING, box((LONG,))))
        assert waiter.is_closed()
        assert small.works()
    if first:
        why = "the client waited too long to send a message over 1 MB, "
        why += "while other clients sent long messages"
    else:
        why = "the peer's message of over 1 MB waited too long for its turn"
    assert_told(debuggee, f"client 1 was disconnected: {why} ({timeout})")


def test_a_client_that_hangs_up_while_it_waits_for_its_turn_is_gone(start: Start) -> None:
    debuggee = start()
    with held_turn(debuggee):
        wait_until(lambda: "pystuck-attend" in debuggee.thread_names(), "the request to last")
        before = debuggee.holdings()
        for _ in range(5):
            with raw_connect(debuggee) as waiter:
                assert waiter.works()
                waiter.send(waiter.request_frame(Handler.PING, box((LONG,))))
        debuggee.wait_until_back_to(before)


def test_a_message_about_a_long_message_may_be_long_itself(start: Start) -> None:
    with raw_connect(start()) as peer:
        peer.send(long_call(peer, UNKNOWN))
        peer.answer_inspect(("method", "x" * 2 * MIB))
        answer = peer.answer()
        assert answer is not None
        assert answer.args == (VALUE, len(LONG))
        asked = call_back(peer, peer.eval("lambda f: len(f())"))
        peer.send(long_call(peer))
        answer = peer.answer()
        assert answer is not None
        assert answer.args == (VALUE, len(LONG))
        peer.reply(asked, LONG)
        answer = peer.answer()
        assert answer is not None
        assert answer.args == (VALUE, len(LONG))


def test_a_request_that_does_not_end_has_no_turn(start: Start) -> None:
    debuggee = start()
    with raw_connect(debuggee) as busy, raw_connect(debuggee) as other:
        function = busy.eval("lambda data: __import__('time').sleep(1000)")
        busy.send(busy.request_frame(Handler.CALL, box((function, (LONG,), ()))))
        assert_served(other)
        asked = call_back(other, other.eval("lambda f: len(f())"))
        other.reply(asked, LONG)
        answer = other.answer()
        assert answer is not None
        assert answer.args == (VALUE, len(LONG))


def test_an_answer_that_the_program_does_not_take_has_no_turn(obedient: Debuggee) -> None:
    with raw_connect(obedient) as peer, raw_connect(obedient) as other:
        code = "lambda f: setattr(__import__('__main__'), 'result', f)"
        pass_object(peer, peer.eval(code), "__call__")
        assert peer.answer() is not None
        keep = "lambda c: setattr(__import__('__main__'), 'conn', c)"
        conn = peer.value(Handler.CALLATTR, peer.root(), "getconn", ())
        peer.value(Handler.CALL, peer.eval(keep), (conn,), ())
        order = "later = conn.async_request(7, result, (), ())"
        assert tell(obedient, order) is None
        asked = peer.receive()
        assert asked is not None
        peer.reply(asked, LONG)
        assert peer.works()
        assert_served(other)
        assert tell(obedient, "assert len(later.value) == 2 << 20") is None


def test_a_server_that_is_closed_does_not_wait_for_turns(obedient: Debuggee) -> None:
    before = obedient.threads()
    with held_turn(obedient), raw_connect(obedient) as waiter:
        assert waiter.works()
        waiter.send(waiter.request_frame(Handler.PING, box((LONG,))))
        assert tell(obedient, "server.close()") is None
        assert waiter.is_closed()
        wait_until(lambda: len(obedient.threads()) < len(before), "the threads to end")


def test_a_fork_leaves_turns_to_the_parent(obedient: Debuggee) -> None:
    with held_turn(obedient) as holder, raw_connect(obedient) as waiter:
        assert waiter.works()
        waiter.send(waiter.request_frame(Handler.PING, box((LONG,)), 3))
        fork = (
            "import os\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    import pystuck\n"
            "    pystuck.run_server(port=0).close()\n"
            "    os._exit(0)\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
        )
        if not THREAD_SANITIZED:
            assert tell(obedient, fork) is None
        holder.sock.close()
        answer = waiter.answer()
        assert answer is not None
        assert (answer.kind, answer.seq) == (REPLY, 3)


# ---- handshake_timeout ---------------------------------------------------------------------------

SILENT = "disconnected: the client sent no request in time (handshake_timeout)"


def test_a_client_that_says_nothing_is_hung_up_on_and_one_that_has_spoken_is_not(
    start: Start,
) -> None:
    debuggee = start(handshake_timeout=SHORT)
    with raw_connect(debuggee) as speaker, raw_connect(debuggee) as silent:
        assert speaker.works()
        assert silent.is_closed()
        assert_told(debuggee, f"client 1 was {SILENT}")
        assert speaker.works()
    before = debuggee.holdings()
    with raw_connect(debuggee) as silent:
        assert silent.is_closed()
    debuggee.wait_until_back_to(before)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_client_that_does_not_finish_its_first_message_is_hung_up_on(
    envelope: Envelope, start: Start
) -> None:
    debuggee = start(handshake_timeout=SHORT)
    with raw_connect(debuggee, envelope) as peer:
        with contextlib.suppress(ConnectionError):
            for byte in peer.request_frame(Handler.PING, box((b"x" * 1000,))):
                peer.sock.sendall(bytes([byte]))
                time.sleep(0.01)  # each is this slow
        assert peer.is_closed()
    assert_told(debuggee, f"client 0 was {SILENT}")


@pytest.mark.parametrize("kind", [REPLY, EXCEPTION])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_answers_that_were_not_asked_for_are_no_first_message(
    envelope: Envelope, kind: int, start: Start
) -> None:
    debuggee = start(handshake_timeout=SHORT)
    with raw_connect(debuggee, envelope) as peer:
        answer = frame(payload(envelope, kind, brine.dump(5), brine.dump((VALUE, 1))))
        peer.send(answer)

        def is_hung_up_on() -> bool:
            peer.send(answer)
            return bool(select.select([peer.sock], [], [], 0.01)[0])

        wait_until(is_hung_up_on, "the end")
        assert peer.is_closed()
    assert_told(debuggee, f"client 0 was {SILENT}")


def test_a_request_after_such_answers_is_one(start: Start) -> None:
    debuggee = start(handshake_timeout=SHORT)
    with raw_connect(debuggee) as peer:
        peer.send(frame(payload(peer.envelope, REPLY, brine.dump(5), brine.dump((VALUE, 1)))))
        assert peer.works()
        with raw_connect(debuggee) as silent:
            assert silent.is_closed()
        assert peer.works()
    assert_told(debuggee, f"client 1 was {SILENT}")


def test_a_client_may_be_silent_for_ever_where_that_is_allowed(start: Start) -> None:
    patient, other = start(handshake_timeout=None), start(handshake_timeout=SHORT)
    with raw_connect(patient) as silent, raw_connect(other) as hung_up_on:
        assert hung_up_on.is_closed()
        assert silent.works()
    assert_told(other, f"client 0 was {SILENT}")


def test_a_stock_client_may_wait_before_it_asks_for_anything(start: Start) -> None:
    debuggee = start(handshake_timeout=SHORT)
    with rpyc.classic.connect("127.0.0.1", debuggee.port) as c, raw_connect(debuggee) as silent:
        assert silent.is_closed()
        assert c.eval("6 * 7") == 42
    assert_told(debuggee, f"client 1 was {SILENT}")


@needs_tls
def test_a_client_that_does_not_shake_hands_is_hung_up_on(start: Start, files: Files) -> None:
    server = {"certfile": files.server_cert, "keyfile": files.server_key}
    debuggee = start(**server, handshake_timeout=SHORT)
    with contextlib.closing(connect_socket(debuggee)) as sock:
        assert sock.recv(1) == b""
    assert_told(
        debuggee, "client 0 was refused: the TLS handshake took longer than handshake_timeout"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    with context.wrap_socket(connect_socket(debuggee), server_hostname="127.0.0.1") as sock:
        assert sock.recv(1) == b""
    assert_told(debuggee, f"client 1 was {SILENT}")


SLOW_SERVICE = """
import json, sys, time
import pystuck, rpyc
class Slow(rpyc.Service):
    def on_connect(self, conn):
        time.sleep(2 * float(sys.argv[1]))
        print("connected", flush=True)
server = pystuck.run_server(
    port=0, service_class_getter=lambda: Slow, handshake_timeout=float(sys.argv[1])
)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
print("went on", flush=True)
"""


def test_a_client_does_not_suffer_from_a_service_that_takes_its_time() -> None:
    path = os.pathsep.join([build_setting("PYSTUCK_PYTHONPATH"), build_setting("PYSTUCK_RPYC6")])
    argv = [python(), "-c", SLOW_SERVICE, str(SHORT)]
    debuggee = Debuggee(argv, debuggee_environment(PYTHONPATH=path))
    try:
        for is_first in (True, False):  # it sends something at once, or when its turn has come
            with raw_connect(debuggee) as peer:
                request = peer.request_frame(Handler.PING, box(("hello",)))
                if is_first:
                    peer.send(request)
                assert debuggee.read_line() == "connected"
                if not is_first:
                    peer.send(request)
                assert peer.answer() == (REPLY, 0, (VALUE, "hello"))
        debuggee.end_well()
    finally:
        debuggee.kill()


# ---- max_objects ---------------------------------------------------------------------------------


def refusal(peer: RawPeer, text: str) -> tuple[str, str]:
    """Returns the exception that an expression raises."""
    answer = peer.request(Handler.CALLATTR, peer.root(), "eval", (text,))
    assert answer is not None
    name = error_name(answer)
    return name, answer.args[1][0]


def test_a_client_that_holds_more_objects_than_allowed_gets_an_exception(start: Start) -> None:
    debuggee = start(max_objects=5)
    with raw_connect(debuggee) as peer, raw_connect(debuggee) as other:
        held = [peer.eval("[1]") for _ in range(4)]  # the root is the fifth object
        assert refusal(peer, "[1]") == (
            "RuntimeError",
            "the client holds 5 objects of this process, which is the limit (max_objects)",
        )
        assert peer.value(Handler.REPR, held[0]) == "[1]"
        assert peer.eval("(1, 'plain', (2.0,))") == (1, "plain", (2.0,))
        assert [other.eval("[1]") for _ in range(4)]
        peer.value(Handler.DEL, held[0], 1)
        held[0] = peer.eval("[2]")
        assert peer.value(Handler.REPR, held[0]) == "[2]"
        assert refusal(peer, "[1]")[0] == "RuntimeError"


def test_an_object_may_be_sent_any_number_of_times(start: Start) -> None:
    with raw_connect(start(max_objects=2)) as peer:
        refs = {peer.eval("__import__('sys')") for _ in range(50)}
        assert len(refs) == 1


def test_what_did_not_fit_is_not_held(start: Start) -> None:
    with raw_connect(start(max_objects=5)) as peer:
        for _ in range(10):
            assert refusal(peer, "tuple([n] for n in range(100))")[0] == "RuntimeError"
        things = peer.eval("tuple([n] for n in range(4))")
        assert [peer.value(Handler.REPR, thing) for thing in things] == ["[0]", "[1]", "[2]", "[3]"]


# ---- send_timeout --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_client_that_does_not_read_is_hung_up_on(
    kind: str, start: Start, socket_dir: Path
) -> None:
    where = {"unix_socket": str(socket_dir / "s")} if kind == "unix" else {}
    debuggee = start(**where, send_timeout=SHORT)
    before = debuggee.holdings()
    with raw_connect(debuggee) as peer:
        stop_reading(peer)
        assert_told(
            debuggee,
            "client 0 was disconnected: the peer does not read the data that was sent to it",
        )
        debuggee.wait_until_back_to(before)
        with raw_connect(debuggee) as other:
            assert other.works()


@needs_tls
def test_a_client_that_does_not_read_over_tls_is_hung_up_on(start: Start, files: Files) -> None:
    server = {"certfile": files.server_cert, "keyfile": files.server_key}
    debuggee = start(**server, send_timeout=SHORT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    sock = context.wrap_socket(connect_socket(debuggee), server_hostname="127.0.0.1")
    with RawPeer(sock, Envelope.RPYC6) as peer:
        stop_reading(peer)
        assert_told(
            debuggee,
            "client 0 was disconnected: the peer does not read the data that was sent to it",
        )


@pytest.mark.measures
def test_a_client_that_reads_slowly_is_served(start: Start) -> None:
    debuggee = start(send_timeout=1.5)
    size = 40 * MIB
    with raw_connect(debuggee) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        root = peer.root()
        text = f"__import__('os').urandom({size})"
        peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
        got, begun = 0, time.monotonic()
        while got < size:
            if got < size // 2 and time.monotonic() - begun < 3:
                time.sleep(0.02)  # each is this slow
            data = peer.sock.recv(size // 64)
            assert data
            got += len(data)
    with raw_connect(debuggee) as peer:
        assert peer.works()


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_client_that_stops_in_the_middle_of_a_message_is_hung_up_on(
    envelope: Envelope, start: Start
) -> None:
    debuggee = start(send_timeout=SHORT)
    before = debuggee.holdings()
    with raw_connect(debuggee, envelope) as peer, raw_connect(debuggee, envelope) as silent:
        assert peer.works()
        assert silent.works()
        peer.send(peer.request_frame(Handler.PING, box((b"x" * 1000,)))[:500])
        told = "client 0 was disconnected: the peer stopped sending in the middle of a message"
        assert_told(debuggee, told)
        assert peer.is_closed()
        assert silent.works()  # there is no time limit between two messages
    debuggee.wait_until_back_to(before)


@pytest.mark.measures
def test_a_client_that_sends_slowly_is_served(start: Start) -> None:
    debuggee = start(send_timeout=3 * SHORT)
    with raw_connect(debuggee) as peer:
        assert peer.works()
        request = peer.request_frame(Handler.PING, box((b"x" * 60,)))
        begun = time.monotonic()
        for i in range(len(request)):
            peer.send(request[i : i + 1])
            if time.monotonic() - begun < 6 * SHORT:
                time.sleep(SHORT / 10)
        assert peer.answer() is not None


def test_a_client_may_take_for_ever_to_read_where_that_is_allowed(start: Start) -> None:
    patient, other = start(send_timeout=None), start(send_timeout=SHORT)
    with raw_connect(patient) as slow, raw_connect(other) as hung_up_on:
        stop_reading(slow)
        stop_reading(hung_up_on)
        assert_told(
            other, "client 0 was disconnected: the peer does not read the data that was sent to it"
        )
        answer = slow.answer()
        assert answer is not None
        assert len(answer.args[1]) == 50_000_000


# ---- Without a limit -----------------------------------------------------------------------------

TIMES = "expected seconds above 0 and up to 1000000, or None"

REFUSED = {
    "{'max_clients': 0}": "ValueError: invalid max_clients 0: expected an int from 1 to 100000",
    "{'max_clients': -1}": "ValueError: invalid max_clients -1: expected an int from 1 to 100000",
    "{'max_clients': 10**6}": "ValueError: invalid max_clients 1000000: expected an int from 1 t",
    "{'max_clients': 1.5}": "TypeError: invalid max_clients 1.5: expected an int from 1 to 100000",
    "{'max_clients': True}": "TypeError: invalid max_clients True: expected an int from 1 to 100",
    "{'max_clients': '5'}": "TypeError: invalid max_clients '5': expected an int from 1 to 100000",
    "{'max_frame': 0}": "ValueError: invalid max_frame 0: expected an int from 1024 to 4294967295",
    "{'max_frame': 2**32}": "ValueError: invalid max_frame 4294967296: expected an int from 1024",
    "{'max_frame': None}": "None",
    "{'max_decompressed': 1}": "ValueError: invalid max_decompressed 1: expected an int from 1024",
    "{'max_decompressed': '1'}": "TypeError: invalid max_decompressed '1': expected an int from ",
    "{'max_frame': 5000, 'max_decompressed': None}": "None",
    "{'max_depth': 0}": "ValueError: invalid max_depth 0: expected an int from 16 to 200",
    "{'max_depth': 201}": "ValueError: invalid max_depth 201: expected an int from 16 to 200",
    "{'max_items': 10}": "ValueError: invalid max_items 10: expected an int from 100 to ",
    "{'max_items': 1.0}": "TypeError: invalid max_items 1.0: expected an int from 100 to ",
    "{'max_objects': 0}": "ValueError: invalid max_objects 0: expected an int from 1 to ",
    "{'max_objects': 2**70}": "ValueError: invalid max_objects 1180591620717411303424: expected",
    "{'handshake_timeout': 0}": f"ValueError: invalid handshake_timeout 0: {TIMES}",
    "{'handshake_timeout': -1}": f"ValueError: invalid handshake_timeout -1: {TIMES}",
    "{'handshake_timeout': 1e7}": f"ValueError: invalid handshake_timeout 10000000.0: {TIMES}",
    "{'handshake_timeout': float('nan')}": f"ValueError: invalid handshake_timeout nan: {TIMES}",
    "{'handshake_timeout': float('inf')}": f"ValueError: invalid handshake_timeout inf: {TIMES}",
    "{'handshake_timeout': 'x'}": f"TypeError: invalid handshake_timeout 'x': {TIMES}",
    "{'handshake_timeout': True}": f"TypeError: invalid handshake_timeout True: {TIMES}",
    "{'send_timeout': 0}": f"ValueError: invalid send_timeout 0: {TIMES}",
    "{'send_timeout': []}": f"TypeError: invalid send_timeout []: {TIMES}",
    "{'send_timeout': 0.0001}": "None",
    "{'max_client': 5}": "TypeError: run_server() got an unexpected keyword argument 'max_client'",
}


@pytest.mark.parametrize("arguments", REFUSED)
@pytest.mark.rotates(4)
def test_a_limit_that_is_wrong_is_named(arguments: str) -> None:
    error = str(start_error(arguments))
    assert error.startswith(REFUSED[arguments]), error
