# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the machine and of the network: no descriptors, no threads, signals at any moment,
connections that end anywhere, and a clock that jumps.

test_out_of_memory.py tests allocations that fail.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import figures
import pytest
from certificates import Files
from fault_steps import STEPS, take
from faults import FIELDS, Bearing, Faults, Kind, Whose, needs_faults
from harness import SANITIZED, Debuggee, build_setting, run_python, wait_until
from rawpeer import (
    ENVELOPES,
    REPLY,
    VALUE,
    Envelope,
    Handler,
    RawPeer,
    box,
    call_back,
    connect_socket,
    raw_connect,
    stop_reading,
)
from tls_clients import needs_tls

Start = Callable[..., Debuggee]

#: How clients reach a server.
WAYS = ["tcp", "unix", pytest.param("tls", marks=needs_tls)]

#: A thread that makes no more than this many calls in half a second does not spin.
FEW = 20

DAY = 24 * 60 * 60

#: Makes a socket send a reset when it is closed.
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(tmp_path)


@pytest.fixture
def failing(start_debuggee: Start, faults: Faults) -> Debuggee:
    """Starts a program in which calls may fail, on a TCP port."""
    debuggee = start_debuggee(env=faults.env)
    faults.find_code(debuggee)
    return debuggee


class Way:
    """A program, and how its clients connect."""

    def __init__(self, debuggee: Debuggee, files: Files | None) -> None:
        self.debuggee, self.files = debuggee, files

    def connect(self, envelope: Envelope = Envelope.RPYC6) -> RawPeer:
        sock = connect_socket(self.debuggee)
        if self.files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(self.files.ca)
            sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        return RawPeer(sock, envelope)


def start_way(
    kind: str, request: pytest.FixtureRequest, start: Start, *arguments: str, **more: str
) -> Way:
    """Starts a program that is reached this way. The arguments are for plain.py."""
    program = "plain.py" if arguments else "stuck.py"
    files: Files | None = None
    options: dict[str, Any] = {}
    if kind == "unix":
        options = {"unix_socket": str(request.getfixturevalue("socket_dir") / "s")}
    elif kind == "tls":
        files = request.getfixturevalue("files")
        assert files
        options = {"certfile": files.server_cert, "keyfile": files.server_key}
        more = {"LD_LIBRARY_PATH": build_setting("LIBRPYC_SSL_PATH"), **more}
    return Way(start(program, arguments=arguments, env=more, **options), files)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, start_debuggee: Start) -> Iterator[Way]:
    """A program for each way. After the test it must be in the same state as before."""
    found = start_way(request.param, request, start_debuggee)
    with found.connect() as peer:
        assert peer.works()
        before = found.debuggee.holdings()
        yield found
        assert peer.works()
    with found.connect() as peer:
        assert peer.works()
    found.debuggee.wait_until_back_to(before)


# ---- No descriptors, no threads ------------------------------------------------------------------


@pytest.mark.measures
@needs_faults
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_the_listener_waits_and_does_not_spin(
    failing: Debuggee, faults: Faults, error: int
) -> None:
    with raw_connect(failing) as inside:
        assert inside.works()
        with faults.failing(Kind.ACCEPT, Whose.CODE, count=1 << 40, error=error):
            waiting = raw_connect(failing)
            wait_until(lambda: faults["failed"], "the listener to try")
            time.sleep(0.5)  # this sleep is what is measured, not a wait for something
            assert faults["failed"] <= FEW
            assert inside.works()
        with waiting:
            assert waiting.works()


@needs_faults
def test_a_client_that_is_gone_before_it_is_let_in_is_none_of_the_others_business(
    failing: Debuggee, faults: Faults
) -> None:
    for error in (errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EHOSTUNREACH, errno.EINTR):
        with faults.failing(Kind.ACCEPT, Whose.CODE, count=3, error=error):
            with raw_connect(failing) as peer:
                assert peer.works()
            assert faults["failed"] == 3


@needs_faults
def test_who_comes_is_known_even_if_the_kernel_cannot_be_asked_by_a_socket(
    failing: Debuggee, faults: Faults
) -> None:
    with faults.failing(Kind.SOCKET, Whose.CODE, count=1 << 40, error=errno.EMFILE):
        with raw_connect(failing) as peer:
            assert peer.works()
        assert faults["failed"] == 1


FAILED_STARTS = """
import ctypes, errno, gc, json, mmap, os, struct, sys, time
import pystuck
with open(os.environ["PYSTUCK_FAULTS"], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 4096)
fields = sys.argv[1].split()
def put(**values):
    for name, value in values.items():
        struct.pack_into("q", shared, 8 * fields.index(name), value)
def left():
    gc.collect()
    for _ in range(1000):  # a thread that has ended may be in the list for a moment
        threads = len(os.listdir("/proc/self/task"))
        if threads == 1:
            break
        time.sleep(0.01)
    return [len(os.listdir("/proc/self/fd")), threads, os.path.exists(sys.argv[2])]
ctypes.CDLL(None).faults_mark(1)
pystuck.run_server(unix_socket=sys.argv[2]).close()
before, told = left(), []
assert before[1] == 1
for kind, number in ((2, errno.EAGAIN), (4, errno.EMFILE)):
    put(whose=3, first=1, count=1 << 40, calls=0, error=number, kinds=kind)
    try:
        pystuck.run_server(unix_socket=sys.argv[2])
    except OSError as error:
        told.append(errno.errorcode[error.errno])
    put(kinds=0)
    told.append(left() == before)
print(json.dumps(told))
"""


@needs_faults
def test_run_server_says_what_there_is_none_of(faults: Faults, socket_dir: Path) -> None:
    arguments = " ".join(FIELDS), str(socket_dir / "s")
    told = run_python(FAILED_STARTS, *arguments, **faults.env)
    assert told == ["EAGAIN", True, "EMFILE", True]
    figures.add("faults", 2)


# ---- Signals -------------------------------------------------------------------------------------


# Not every second call: if two kinds of calls alternate, only one kind would be interrupted.
@needs_faults
@pytest.mark.parametrize("every", [3, 5])
def test_every_call_that_a_signal_may_interrupt_is_interrupted(
    start_debuggee: Start, faults: Faults, socket_dir: Path, every: int
) -> None:
    debuggee = start_debuggee("counted.py", env=faults.env, unix_socket=str(socket_dir / "s"))
    with faults.failing(Kind.WAIT, Whose.THREADS, every=every, error=errno.EINTR):
        for envelope in ENVELOPES:
            with Bearing(connect_socket(debuggee), envelope) as client:
                assert [take(client, step) for step in STEPS] == [None] * len(STEPS)
        assert faults["failed"] > 20


@needs_faults
@pytest.mark.parametrize("kind", WAYS)
def test_every_such_call_is_interrupted_on_the_way_in_and_out(
    kind: str, request: pytest.FixtureRequest, start_debuggee: Start, faults: Faults
) -> None:
    way = start_way(kind, request, start_debuggee, **faults.env)
    size = 3_000_000
    with faults.failing(Kind.WAIT, Whose.THREADS, every=3, error=errno.EINTR):
        for _ in range(3):
            with way.connect() as peer:
                assert peer.value(Handler.PING, b"x" * size) == b"x" * size
        assert faults["failed"] > 10


#: A program that gets a signal each millisecond, which interrupts the wait of its main thread. The
#: handler is in Python and counts the signals.
ALARMS = """
import signal
alarms = 0
def count(*args):
    global alarms
    alarms += 1
signal.signal(signal.SIGALRM, count)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
"""


@pytest.mark.parametrize("kind", WAYS)
def test_a_program_that_gets_a_signal_each_millisecond_is_served(
    kind: str, request: pytest.FixtureRequest, start_debuggee: Start
) -> None:
    way = start_way(kind, request, start_debuggee, ALARMS)
    with way.connect() as peer:
        main = "__import__('__main__')"
        before = peer.eval(f"{main}.alarms")
        for _ in range(10):
            assert peer.eval("b'x' * 1_000_000") == b"x" * 1_000_000
        wait_until(lambda: peer.eval(f"{main}.alarms") > before + 20, "handlers to run")
        peer.eval("__import__('signal').setitimer(0, 0)")
    figures.add("faults", 20)


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.rotates(3)
def test_a_program_that_sigpipe_would_end_goes_on(
    kind: str, request: pytest.FixtureRequest, start_debuggee: Start
) -> None:
    default = "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)"
    way = start_way(kind, request, start_debuggee, default)
    before = way.debuggee.holdings()
    for number in range(20):
        with way.connect() as peer:
            if number % 2:
                stop_reading(peer)
            else:
                ping = peer.request_frame(Handler.PING, box((b"x" * 10_000,)))
                peer.send(ping * 20)
            if kind != "unix":
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    way.debuggee.wait_until_back_to(before)
    with way.connect() as peer:
        assert peer.works()
    figures.add("faults", 20)


# ---- Connections that end, or come in pieces -----------------------------------------------------


def requests_of(peer: RawPeer) -> list[bytes]:
    """Returns three requests, as frames."""
    return [peer.request_frame(Handler.PING, box((n,)), n) for n in range(3)]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
def test_a_connection_may_end_at_each_byte(way: Way, envelope: Envelope, with_reset: bool) -> None:
    with way.connect(envelope) as peer:
        whole = b"".join(requests_of(peer)[:2])
    for count in range(len(whole) + 1):
        with way.connect(envelope) as peer:
            if with_reset and not way.debuggee.unix_socket:
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.send(whole[:count])
    figures.add("faults", len(whole) + 1)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_who_says_nothing_more_gets_the_answers_to_what_was_said(
    way: Way, envelope: Envelope
) -> None:
    for cut in (0, 3):  # after complete requests, or in the middle of the next one
        with way.connect(envelope) as peer:
            # the server does not admit a client whose connection is half closed already
            assert peer.works()
            frames = requests_of(peer)
            peer.send(b"".join(frames) + frames[0][:cut])
            # With TLS this ends the socket without a message of TLS, as stock clients do.
            socket.socket.shutdown(peer.sock, socket.SHUT_WR)
            assert [peer.answer() for _ in frames] == [(REPLY, n, (VALUE, n)) for n in range(3)]
            assert peer.is_closed()
    figures.add("faults", 2)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_session_one_byte_at_a_time(way: Way, envelope: Envelope) -> None:
    with way.connect(envelope) as peer:
        for number, whole in enumerate(requests_of(peer)):
            for byte in whole:
                peer.send(bytes([byte]))
            assert peer.answer() == (REPLY, number, (VALUE, number))


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_everything_at_once(way: Way, envelope: Envelope) -> None:
    count = 500
    with way.connect(envelope) as peer:
        frames = [peer.request_frame(Handler.PING, box((n,)), n) for n in range(count)]
        peer.send(b"".join(frames))
        assert [peer.answer() for _ in range(count)] == [
            (REPLY, n, (VALUE, n)) for n in range(count)
        ]


def test_a_client_whose_machine_is_gone_is_missed_within_two_minutes(
    start_debuggee: Start,
) -> None:
    """The kernel gets these settings; whether it obeys them is not tested."""
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    with raw_connect(start_debuggee()) as peer:
        conn = peer.value(Handler.CALLATTR, peer.root(), "getconn", ())
        fd = peer.value(Handler.CALLATTR, conn, "fileno", ())
        duplicate = f"__import__('socket').socket(fileno=__import__('os').dup({fd}))"
        options = ", ".join(f"s.getsockopt(6, {getattr(socket, name)})" for name in names)
        alive = f"s.getsockopt({socket.SOL_SOCKET}, {socket.SO_KEEPALIVE})"
        look = peer.eval(f"lambda s: ({alive}, {options}, s.close())")
        is_kept, idle, interval, probes, unanswered, _ = peer.value(
            Handler.CALL, look, (peer.eval(duplicate),), ()
        )
    assert is_kept
    assert 0 < idle + interval * probes <= 120
    assert 0 < unanswered <= 120_000


# ---- The clock -----------------------------------------------------------------------------------


@needs_faults
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
@pytest.mark.rotates(2)
def test_a_jump_of_the_wall_clock_is_nothing_to_the_server(
    start_debuggee: Start, faults: Faults, jump: int
) -> None:
    patient = start_debuggee(env=faults.env, handshake_timeout=3600.0, send_timeout=3600.0)
    faults.find_code(patient)
    with raw_connect(patient) as silent, raw_connect(patient) as slow, raw_connect(patient) as busy:
        then = busy.eval("__import__('time').time()")
        stop_reading(slow)
        call = call_back(busy, busy.eval("lambda f: f()"))
        faults["clock"] = jump
        with raw_connect(patient) as observer:
            now = observer.eval("__import__('time').time()")
            assert abs(now - then - jump) < DAY / 2, "the clock has not jumped"
        busy.reply(call, "after the jump")
        answer = busy.answer()
        assert answer is not None
        assert answer.args == (VALUE, "after the jump")
        answer = slow.answer()
        assert answer is not None
        assert len(answer.args[1]) == 50_000_000
        assert silent.works()
    assert faults["clock_use"] == 0
    figures.add("faults")


@needs_faults
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_a_deadline_is_kept_although_the_wall_clock_jumps(
    start_debuggee: Start, faults: Faults, jump: int
) -> None:
    seconds = 2.0 if SANITIZED else 0.4
    strict = start_debuggee(env=faults.env, handshake_timeout=seconds, send_timeout=seconds)
    before = strict.holdings()
    with raw_connect(strict) as silent, raw_connect(strict) as slow:
        stop_reading(slow)
        faults["clock"] = jump
        assert silent.is_closed()
        strict.wait_until_back_to(before)  # the connection `slow` was closed, too
    figures.add("faults")
