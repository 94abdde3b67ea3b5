# SPDX-License-Identifier: BSD-3-Clause
"""Allocations of the server that fail, one after the other, while the program continues to run.

The client gets an answer, an exception or the end of its connection. The program notices nothing.
With PYSTUCK_SLOW=1 every allocation fails once, else only some of those of CPython's code.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import figures
import pytest
import rounds
from certificates import Files
from fault_steps import IN_THREADS, STEPS, Step, looks_at_stacks, take, uses_its_connection
from faults import BEAT, FIELDS, SLOW, Bearing, Faults, Kind, Whose, needs_faults
from harness import PATIENCE, Debuggee, c_program, clean_environment, run_python, wait_until
from rawpeer import ENVELOPES, Envelope, Handler, connect_socket
from tls_clients import needs_tls

Start = Callable[..., Debuggee]

pytestmark = [needs_faults, pytest.mark.rotates(8)]

#: How many allocations fail: only one, or that one and all later ones.
counts = pytest.mark.parametrize("count", [1, 1 << 40], ids=["one", "all later"])

#: Only each n-th allocation of CPython's code on the server's threads is made to fail: this is n.
STRIDE = 1 if SLOW else 23

#: Exceptions that CPython's own code raises in place of a MemoryError. 3.11 sets no exception if
#: there is no memory for the frame of a function, and then raises a SystemError.
MADE_OF_IT = {
    "PicklingError",
    "RuntimeError: can't allocate read lock",
    "SystemError: returned NULL without setting an exception",
}

#: How many blocks of memory may come and go: caches, and memory that is kept only for some time.
NOISE = 60


class Victim:
    """A program whose server runs out of memory."""

    def __init__(self, debuggee: Debuggee, faults: Faults) -> None:
        self.debuggee, self.faults = debuggee, faults
        with self.connect() as peer:
            peer.value(Handler.CALLATTR, peer.root(), "execute", (BEAT,))
        faults.find_code(debuggee)
        wait_until(lambda: faults.beats, "the program's own thread to begin")
        self.before = debuggee.holdings()

    def connect(self, envelope: Envelope = Envelope.RPYC6) -> Bearing:
        return Bearing(connect_socket(self.debuggee), envelope)

    def visit(self, steps: list[Step], envelope: Envelope = Envelope.RPYC6) -> list[str | None]:
        """Returns the results of a client's steps, up to the end of its connection."""
        outcomes: list[str | None] = []
        with self.connect(envelope) as client:
            for step in steps:
                outcomes.append(take(client, step))
                if outcomes[-1] == "gone":
                    break
        return outcomes

    def run_out(self, visit: Callable[[], None], whose: Whose, count: int, stride: int = 1) -> int:
        """Makes an allocation fail during a visit: the first one in the first visit, and so on.
        Returns the number of allocations."""
        first = 1
        while True:
            with self.faults.failing(Kind.MEMORY, whose, first=first, count=count):
                visit()
            assert self.debuggee.is_alive(), (first, self.debuggee.stderr())
            if not self.faults["failed"]:
                return first - 1
            first += stride

    def take_steps(self, steps: list[Step], whose: Whose, count: int, stride: int = 1) -> int:
        """Makes allocations fail during each of the steps, one step after the other."""
        allowed = {None, "gone", "MemoryError"}
        if whose is not Whose.CODE:
            allowed |= MADE_OF_IT
        total = 0
        for number, step in enumerate(steps):

            def visit(step: Step = step, number: int = number) -> None:
                outcomes = self.visit([step], ENVELOPES[number % len(ENVELOPES)])
                assert set(outcomes) <= allowed, step.__name__

            total += self.run_out(visit, whose, count, stride)
        return total

    def assert_well(self) -> None:
        """Checks that the program is in the same state as before."""
        for envelope in ENVELOPES:
            assert self.visit(STEPS, envelope) == [None] * len(STEPS)
        self.debuggee.wait_until_back_to(self.before)
        beats = self.faults.beats
        wait_until(lambda: self.faults.beats > beats + 5, "the program's own thread to go on")
        assert not self.debuggee.has_printed()

    def own_blocks(self) -> int:
        """Returns the number of memory blocks of the extension, when nothing is running."""
        self.assert_well()
        return self.faults["own_blocks"]

    def blocks(self) -> int:
        """Returns the number of all memory blocks."""
        with self.connect() as peer:
            peer.call("count")
        self.debuggee.wait_until_back_to(self.before)
        return self.faults["blocks"]


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(tmp_path)


@pytest.fixture
def victim(start_debuggee: Start, faults: Faults, socket_dir: Path) -> Victim:
    """A program without Python's own allocator: each object is an allocation."""
    env = faults.env | {"PYTHONMALLOC": "malloc"}
    return Victim(start_debuggee("counted.py", env=env, unix_socket=str(socket_dir / "s")), faults)


# ---- Sessions ------------------------------------------------------------------------------------


@counts
def test_each_allocation_of_the_servers_own_code_fails_in_turn(victim: Victim, count: int) -> None:
    before = victim.own_blocks()
    total = victim.take_steps(STEPS, Whose.CODE, count)
    assert total > 300
    assert victim.own_blocks() == before


def assert_only_python_complains(debuggee: Debuggee) -> None:
    """If CPython has no memory to raise an exception, it prints a message on stderr, for instance
    about a generator that it closes. The program must end normally in spite of this."""
    debuggee.ended = True
    debuggee.write("go on\n")
    assert debuggee.wait() == 0
    for line in debuggee.stderr().splitlines():
        assert line.startswith(("Exception ignored in", "Traceback", "  ", "MemoryError")), line


# Not all later ones: a `finally` in CPython 3.11 would then retry for ever, with the GIL.
@pytest.mark.parametrize("count", [1, 20], ids=["one", "twenty"])
def test_allocations_of_pythons_code_fail_on_the_servers_threads(
    victim: Victim, count: int
) -> None:
    # CPython 3.11 itself leaks if there is no memory for a function, a generator or a cell variable
    # that its interpreter makes. The code that collects the stacks makes many of these.
    steps = [step for step in STEPS if step not in [*IN_THREADS, looks_at_stacks]]
    own = victim.own_blocks()
    victim.take_steps(steps, Whose.THREADS, count, 2 * STRIDE)
    growth: list[int] = []
    while not growth or min(growth) > NOISE:  # a leak grows each time
        assert len(growth) < 3, growth
        before = victim.blocks()
        assert victim.take_steps(steps, Whose.THREADS, count, STRIDE) > 1000
        growth.append(victim.blocks() - before)
    victim.take_steps([looks_at_stacks], Whose.THREADS, count, STRIDE)
    victim.take_steps([uses_its_connection], Whose.THREADS, count)  # which has a descriptor, too
    assert victim.own_blocks() == own
    assert_only_python_complains(victim.debuggee)


@counts
def test_a_client_that_binds_threads_bears_it(victim: Victim, count: int) -> None:
    before = victim.own_blocks()

    def visit() -> None:
        with (
            contextlib.suppress(MemoryError, EOFError, ConnectionError),
            contextlib.closing(rounds.connect(victim.debuggee, bind_threads=True)) as c,
        ):
            assert c.eval("6 * 7") == 42
            assert c.eval("lambda f: f() + 1")(lambda: 41) == 42
        gc.collect()  # frees what a failed connect() has left in this process

    assert victim.run_out(visit, Whose.CODE, count) > 10
    assert victim.own_blocks() == before


@counts
def test_a_service_of_the_programs_bears_it(victim: Victim, count: int) -> None:
    before = victim.own_blocks()

    def visit() -> None:
        with contextlib.suppress(MemoryError, EOFError, ConnectionError):
            rounds.a_service_with_a_policy(None, victim.debuggee)
        gc.collect()

    assert victim.run_out(visit, Whose.CODE, count) > 10
    assert victim.own_blocks() == before


@counts
def test_our_own_client_says_what_became_of_its_cell(victim: Victim, count: int) -> None:
    argv = c_program("PYSTUCK_BIN", "--unix-socket", victim.debuggee.unix_socket, "-c", "6 * 7")

    def visit() -> None:
        done = subprocess.run(
            argv,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.stdout in ("42\n", "")
        assert (done.returncode == 0) == bool(done.stdout)
        assert done.stdout or done.stderr

    assert victim.run_out(visit, Whose.CODE, count, 1 if SLOW else 4) > 10
    victim.assert_well()


# ---- Coming in -----------------------------------------------------------------------------------


def greet(sock: socket.socket) -> str | None:
    """Returns the result of a client's first message."""
    with Bearing(sock, Envelope.RPYC6) as client:
        return take(client, lambda client: client.root() and None)


def test_a_client_that_comes_over_tcp_bears_it(start_debuggee: Start, faults: Faults) -> None:
    victim = Victim(start_debuggee(env=faults.env), faults)

    def visit() -> None:
        assert greet(connect_socket(victim.debuggee)) in (None, "gone", "MemoryError")

    for count in (1, 1 << 40):
        assert victim.run_out(visit, Whose.THREADS, count) > 5
    assert greet(connect_socket(victim.debuggee)) is None
    victim.debuggee.wait_until_back_to(victim.before)


@needs_tls
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_that_comes_over_tls_bears_it(
    start_debuggee: Start, faults: Faults, files: Files, version: str
) -> None:
    env = faults.env | {"LD_LIBRARY_PATH": os.environ["LIBRPYC_SSL_PATH"]}
    server = {"certfile": files.server_cert, "keyfile": files.server_key, "ca_certs": files.ca}
    debuggee = start_debuggee(env=env, **server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.client_cert, files.client_key)
    context.maximum_version = getattr(ssl.TLSVersion, version)

    def visit() -> str | None:
        try:
            with connect_socket(debuggee) as plain:
                return greet(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        except socket.timeout:
            raise
        except OSError:
            return "gone"

    assert visit() is None
    before = debuggee.holdings()
    first = 1
    while first == 1 or faults["failed"]:
        with faults.failing(Kind.MEMORY, Whose.THREADS, first=first):
            assert visit() in (None, "gone", "MemoryError"), first
        assert debuggee.is_alive()
        first += STRIDE
    assert visit() is None
    debuggee.wait_until_back_to(before)


# ---- run_server ----------------------------------------------------------------------------------

#: Makes the n-th allocation of run_server fail, for all n. The arguments: those of run_server, and
#: whose allocations fail. Prints the results, and what is left afterwards.
STARTS = """
import contextlib, ctypes, gc, json, mmap, os, struct, sys
import pystuck
options, whose, stride = json.loads(sys.argv[1])
fields = sys.argv[2].split()
fd = os.open(os.environ["PYSTUCK_FAULTS"], os.O_RDWR)
shared = mmap.mmap(fd, 4096)
os.close(fd)
def put(field, value, pack=struct.pack_into, at={f: 8 * n for n, f in enumerate(fields)}):
    pack("q", shared, at[field], value)
def get(field):
    return struct.unpack_from("q", shared, 8 * fields.index(field))[0]
def attempt(first):
    put("whose", whose); put("count", 1); put("calls", 0); put("failed", 0); put("first", first)
    put("error", 12)
    put("kinds", 1)
    try:
        server = pystuck.run_server(**options)
    except MemoryError:
        put("kinds", 0)
        return "MemoryError"
    except Exception as error:
        put("kinds", 0)
        return f"{type(error).__name__}: {error}"
    put("kinds", 0)
    server.close()
    return "started"
def left():
    gc.collect()
    files = os.path.exists(options.get("unix_socket", "/does/not/exist"))
    return [len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), files]
ctypes.CDLL(None).faults_mark(1)
pystuck.run_server(**options).close()
before, seen, first = left(), {}, 1
while True:
    outcome = attempt(first)
    seen[outcome] = seen.get(outcome, 0) + 1
    if not get("failed"):
        break
    first += stride
print(json.dumps([seen, before, left()]))
"""


def run_starts(faults: Faults, options: dict[str, Any], stride: int) -> dict[str, int]:
    """Returns the results of run_server while its allocations fail. A failed call must leave
    nothing behind."""
    path = os.environ.get("LIBRPYC_SSL_PATH", "")
    env = faults.env | {"PYTHONMALLOC": "malloc", "LD_LIBRARY_PATH": path}
    arguments = json.dumps([options, int(Whose.MARKED), stride]), " ".join(FIELDS)
    seen, before, after = run_python(STARTS, *arguments, timeout=12 * PATIENCE, **env)
    figures.add("faults", sum(seen.values()) - 1)
    assert after == before
    return seen


@pytest.mark.parametrize("where", ["tcp", "unix", "tls"])
def test_run_server_raises_memory_error(
    where: str, request: pytest.FixtureRequest, faults: Faults, socket_dir: Path
) -> None:
    options: dict[str, Any] = {"port": 0, "allow_users": [0]}
    if where == "unix":
        options = {"unix_socket": str(socket_dir / "s"), "unix_mode": 0o660}
    if where == "tls":
        if not os.environ.get("LIBRPYC_SSL_PATH"):
            pytest.skip("built without OpenSSL")
        files = request.getfixturevalue("files")
        options |= {"certfile": files.server_cert, "keyfile": files.server_key}
    seen = run_starts(faults, options, 1 if SLOW or where != "tls" else 7)
    print(seen)
    assert seen.pop("started")
    assert seen.pop("MemoryError") > 10
    # OpenSSL does not always report that memory was missing.
    others = [text for text in seen if not text.startswith("ValueError: TLS: cannot use the ")]
    assert set(others) <= MADE_OF_IT
