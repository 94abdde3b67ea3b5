# SPDX-License-Identifier: BSD-3-Clause
"""Requests that arrive while C code keeps the GIL: STACKS is answered from the stack reader, and
the others when the GIL is released.

The main thread of the program holds the GIL in read(2) on a FIFO, called through ctypes.PyDLL,
until the test writes a byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import shutil
import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Files
from harness import (
    OBEY,
    PATIENCE,
    THREAD_SANITIZED,
    Debuggee,
    Running,
    command,
    debuggee_environment,
    order,
    python,
    tell,
    wait_until,
)
from rawpeer import (
    EXCEPTION,
    REPLY,
    Envelope,
    Handler,
    Message,
    RawPeer,
    box,
    error_name,
    frame,
    pass_object,
    raw_connect,
    unbox,
)
from rpyc.core import brine
from tls_clients import needs_tls

pytestmark = pytest.mark.skipif(
    "PYSTUCK_STACKREADER" not in os.environ, reason="no internal headers of this Python"
)

PROGRAM = """
import ctypes, json, os, threading
import pystuck
fifo = os.open({fifo!r}, os.O_RDWR)

class Restricted:
    def on_connect(self, conn):
        pass

    def on_disconnect(self, conn):
        pass

def hold():
    ctypes.PyDLL(None).read(fifo, ctypes.create_string_buffer(1), 1)

def deeper(depth):
    return deeper(depth - 1) if depth else hold()

def frames():
    return {{
        ident: [[f.f_code.co_filename, f.f_lineno, f.f_code.co_name] for f in reversed(list(up(f)))]
        for ident, f in sys._current_frames().items()
    }}

def up(frame):
    while frame:
        yield frame
        frame = frame.f_back

threading.Thread(target=threading.Event().wait, name="waiter é", daemon=True).start()
blocked = threading.Event()
restricted = pystuck.run_server(port=0, service_class_getter=lambda: Restricted)
where.update(fifo=fifo, restricted=restricted.port)
"""


BECOME_NOBODY = """
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
assert ctypes.CDLL(None).prctl(4, 0) == 0  # PR_SET_DUMPABLE
"""


#: Installs a filter that forbids process_vm_readv(2), in all threads.
FORBID_READING = """
import platform, struct
number = {"x86_64": (310, 317), "aarch64": (270, 277)}[platform.machine()]
load, compare, end = 0x20, 0x15, 0x06
steps = [(load, 0, 0, 0), (compare, 0, 1, number[0]), (end, 0, 0, 0x50001), (end, 0, 0, 0x7FFF0000)]
steps = b"".join(struct.pack("HBBI", *each) for each in steps)
steps = ctypes.create_string_buffer(steps, len(steps))
program = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(steps)))
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert ctypes.CDLL(None).syscall(number[1], 1, 1, program) == 0
"""


class Held:
    """A program whose main thread can be made to hold the GIL.

    before: code that it executes when the server has started. after: code that it executes once,
    in place of OBEY. options: the arguments of run_server.
    """

    def __init__(
        self, folder: Path, *, before: str = "", after: str = OBEY, **options: Any
    ) -> None:
        self.after = after
        self.path = folder / "fifo"
        os.mkfifo(self.path)
        self.fifo = os.open(self.path, os.O_RDWR)
        before = PROGRAM.format(fifo=str(self.path)) + before
        argv = command("plain.py", json.dumps(options or {"port": 0}), before, after)
        self.debuggee = Debuggee(argv, debuggee_environment())
        if after == OBEY:
            self.debuggee.write("\n")

    def is_held(self, thread: int | None = None, pid: int | None = None) -> bool:
        """Returns whether a thread, by default the main thread, holds the GIL of the debuggee, or
        of its child with this pid."""
        pid = pid or self.debuggee.pid
        path = f"/proc/{pid}/task/{thread or pid}/syscall"
        call = Path(path).read_text().split()
        return len(call) > 1 and call[1] == hex(self.debuggee.told["fifo"])

    def is_held_by_any(self) -> bool:
        return any(self.is_held(thread) for thread in self.debuggee.threads())

    @contextlib.contextmanager
    def holding(self, code: str = "hold()") -> Iterator[None]:
        if self.after == OBEY:
            order(self.debuggee, code)
        else:
            self.debuggee.write("\n")
        try:
            wait_until(self.is_held, "the main thread to hold the GIL")
            yield
        finally:
            self.release()
        if not self.debuggee.ended:
            assert json.loads(self.debuggee.read_line()) is None

    def release(self) -> None:
        os.write(self.fifo, b"x")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Held]:
    names = {"keyfile": files.server_key, "certfile": files.server_cert}
    with_tls = f"where['tls'] = pystuck.run_server(port=0, **{names!r}).port"
    before = with_tls if os.environ.get("LIBRPYC_SSL_PATH") else ""
    held = Held(tmp_path_factory.mktemp("held"), before=before)
    try:
        yield held
        assert tell(held.debuggee, "pass") is None
    finally:
        held.debuggee.kill()
        os.close(held.fifo)


@contextlib.contextmanager
def held_alone(folder: Path, **options: Any) -> Iterator[Held]:
    """A program that need not end well. folder and options: the arguments of Held."""
    held = Held(folder, **options)
    held.debuggee.ended = True
    try:
        yield held
    finally:
        held.debuggee.kill()
        os.close(held.fifo)


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Held]:
    """A program for a test that ends it."""
    with held_alone(tmp_path) as held:
        yield held


def stacks_without_gil(held: Held, *call: str) -> dict[str, Any]:
    """Returns the process as it is while the main thread holds the GIL. call: see Held.holding."""
    with raw_connect(held.debuggee) as peer, held.holding(*call):
        ask(peer, ROOT, STACKS)
        process = process_of(receive(peer))
    main = process["threads"]["MainThread"]
    assert process["gil"][0:2] == ("held", main["id"])
    assert main["exact"] is True
    return process


def ask(peer: RawPeer, *requests: tuple[Handler, tuple[Any, ...]]) -> None:
    """Sends requests in one go, without waiting for answers."""
    peer.send(b"".join(peer.request_frame(handler, box(args)) for handler, args in requests))


ROOT = (Handler.GETROOT, ())
STACKS = (Handler.STACKS, (2, 1 | 2 | 8, 500))


def receive(peer: RawPeer) -> Message:
    message = peer.receive()
    assert message is not None
    return message


#: The places of members in the tuples; see report/schema.c.
PROCESS = {"pid": 4, "python": 9, "argv": 10, "source": 13, "missing": 14, "gil": 16, "threads": 17}
THREAD = {"id": 0, "ident": 1, "native_id": 2, "name": 4, "state": 10, "exact": 12, "frames": 14}


def process_of(message: Message) -> dict[str, Any]:
    """Returns the process that STACKS returned, with its threads by name."""
    assert message.kind == REPLY, message
    version, members = unbox(message.args)
    assert version == 2
    process = {name: members[place] for name, place in PROCESS.items()}
    threads = [{name: t[place] for name, place in THREAD.items()} for t in process["threads"]]
    return process | {"threads": {t["name"]: t for t in threads}}


def test_the_stacks_come_before_the_root(program: Held) -> None:
    assert tell(program.debuggee, "where['before'] = json.dumps(frames())") is None
    with raw_connect(program.debuggee) as peer:
        with program.holding("deeper(30)"):
            ask(peer, ROOT, STACKS)
            answer = receive(peer)
            assert answer.seq == 1
            process = process_of(answer)
        root = receive(peer)
        assert (root.seq, root.kind) == (0, REPLY)
        before = json.loads(peer.eval("__import__('__main__').where['before']"))
        assert peer.works()
    main, waiter = (process["threads"][name] for name in ("MainThread", "waiter é"))
    assert len(process["threads"]) == 2
    assert process["source"] == "self"
    assert process["pid"] == program.debuggee.pid
    state, holder, at_least, evidence = process["gil"]
    assert (state, holder) == ("held", main["id"])
    assert at_least >= 100
    assert evidence.startswith("C code: ")
    assert main["exact"] is True
    assert [f[2] for f in main["frames"]][-32:] == ["deeper"] * 31 + ["hold"]
    assert waiter["exact"] is True
    # The frames of other threads are those that Python shows; the GIL is held further in.
    shown = [tuple(f) for f in before[str(waiter["ident"])]]
    assert [f[:3] for f in waiter["frames"]] == shown
    whats = {what for what, _ in process["missing"]}
    assert whats >= {"repr", "source lines"}
    assert not whats & {"greenlets", "tasks"}  # their modules are not imported


@pytest.mark.parametrize("envelope", list(Envelope))
def test_later_requests_are_served_in_order(program: Held, envelope: Envelope) -> None:
    with raw_connect(program.debuggee, envelope) as peer:
        root = peer.root()
        peer.value(Handler.CALLATTR, root, "execute", ("order = []",))
        with program.holding():
            calls = [
                (Handler.CALLATTR, (root, "eval", (f"order.append({i}) or list(order)",)))
                for i in range(5)
            ]
            ask(peer, ROOT, *calls[:3], STACKS, *calls[3:], STACKS)
            early = [receive(peer), receive(peer)]
        assert [process_of(m)["gil"][0] for m in early] == ["held", "held"]
        late = [receive(peer) for _ in range(6)]
        first = late[0].seq
        assert [m.seq for m in early] == [first + 4, first + 7]
        assert [m.seq for m in late] == [first + i for i in (0, 1, 2, 3, 5, 6)]
        assert all(m.kind == REPLY for m in late)


def send_bound(peer: RawPeer, thread: int, *requests: tuple[Handler, tuple[Any, ...]]) -> None:
    """Sends requests of one thread of a client with bind-threads."""
    for handler, args in requests:
        plain = peer.request_frame(handler, box(args))
        peer.send(frame(struct.pack("!QQ", thread, 0) + plain[5:-1]))


def ssl_connect(program: Held) -> RawPeer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", program.debuggee.told["tls"]), PATIENCE)
    return RawPeer(context.wrap_socket(plain), Envelope.RPYC6)


@needs_tls
def test_a_client_over_tls(program: Held) -> None:
    """Its request is answered whether it is sent behind GETROOT or behind another request."""
    with ssl_connect(program) as peer:
        root = peer.root()
        with program.holding(), ssl_connect(program) as other:
            ask(peer, (Handler.CALLATTR, (root, "eval", ("6 * 7",))), STACKS)
            ask(other, ROOT, STACKS)
            for each in (peer, other):
                assert process_of(receive(each))["gil"][0] == "held"
        assert unbox(receive(peer).args) == 42


def test_a_stock_client_gets_its_answer_when_the_gil_is_back(
    program: Held, connect: Callable[[Debuggee], Any]
) -> None:
    client, found = connect(program.debuggee), []
    calls = [
        lambda: found.append(client.eval("6 * 7")),
        lambda: found.append(connect(program.debuggee).eval("7 * 6")),
    ]
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    with program.holding():
        for thread in threads:
            thread.start()
        with raw_connect(program.debuggee) as peer:
            ask(peer, ROOT, STACKS)  # meanwhile their requests arrive
            assert process_of(receive(peer))["gil"][0] == "held"
        assert not found
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [42, 42]


EVENT = "__import__('__main__').blocked"


def start_eval(peer: RawPeer, root: Any, text: str) -> None:
    ask(peer, (Handler.CALLATTR, (root, "eval", (text,))))


def assert_answers_stacks(peer: RawPeer, source: str, state: str | None = None) -> None:
    """Asks for the stacks, twice."""
    for _ in range(2):
        ask(peer, STACKS)
        process = process_of(receive(peer))
        assert process["source"] == source
        assert (process["gil"] or (None,))[0] == state


def test_stacks_are_answered_behind_a_request_that_does_not_return(program: Held) -> None:
    """The request waits for the GIL, without a session that knows about it; it has the GIL itself;
    it waits for something else."""
    with raw_connect(program.debuggee) as peer:
        root = peer.root()
        with program.holding():
            start_eval(peer, root, "6 * 7")
            assert_answers_stacks(peer, "self", "held")
        assert unbox(receive(peer).args) == 42
        start_eval(peer, root, "__import__('__main__').hold()")
        wait_until(program.is_held_by_any, "the request to hold the GIL")
        assert_answers_stacks(peer, "self", "held")
        program.release()
        assert receive(peer).kind == REPLY
        start_eval(peer, root, f"{EVENT}.wait()")
        assert_answers_stacks(peer, "server")
        start_eval(peer, root, "6 * 7")
        assert_answers_stacks(peer, "server")
        assert tell(program.debuggee, "blocked.set(); blocked.clear()") is None
        assert unbox(receive(peer).args) is True
        assert unbox(receive(peer).args) == 42


def test_stacks_are_answered_to_a_thread_of_a_client_that_waits(program: Held) -> None:
    """The client binds threads."""
    with raw_connect(program.debuggee) as peer:
        send_bound(peer, 1, ROOT)
        answer = peer.receive_frame()
        assert answer
        root = unbox(brine.load(answer[17:])[1])
        send_bound(peer, 1, (Handler.CALLATTR, (root, "eval", (f"{EVENT}.wait()",))), STACKS)
        answer = peer.receive_frame()
        assert answer
        process = unbox(brine.load(answer[17:])[1])[1]
        assert process[PROCESS["source"]] == "server"
        assert tell(program.debuggee, "blocked.set(); blocked.clear()") is None
        assert peer.receive_frame()


def test_the_reply_reaches_a_client_that_has_ended_its_side(program: Held) -> None:
    """Another thread has read the end of the stream, for the thread that serves the request."""
    with raw_connect(program.debuggee) as peer:
        start_eval(peer, peer.root(), f"{EVENT}.wait()")
        assert_answers_stacks(peer, "server")
        names = program.debuggee.thread_names
        assert "pystuck-attend" in names()
        peer.half_close()
        wait_until(
            lambda: "pystuck-attend" not in program.debuggee.thread_names(), "the thread to end"
        )
        assert tell(program.debuggee, "blocked.set(); blocked.clear()") is None
        assert unbox(receive(peer).args) is True


def test_a_client_is_called_although_another_thread_reads(program: Held) -> None:
    """The client sends a request within the call. The same thread serves it."""
    ident = "__import__('threading').get_ident()"
    with raw_connect(program.debuggee) as peer:
        root = peer.root()
        function = peer.eval(f"lambda f: ({EVENT}.wait(), f(), {ident})")
        pass_object(peer, function, "__call__")
        assert_answers_stacks(peer, "server")
        assert tell(program.debuggee, "blocked.set(); blocked.clear()") is None
        call = receive(peer)
        assert_answers_stacks(peer, "server")
        start_eval(peer, root, ident)
        inner = receive(peer)
        peer.reply(call, 5)
        assert unbox(receive(peer).args) == (True, 5, unbox(inner.args))


def test_a_client_that_binds_threads(program: Held) -> None:
    """Its requests of different threads are served by different threads of the server."""
    with raw_connect(program.debuggee) as peer:
        send_bound(peer, 1, ROOT)
        assert peer.receive_frame()
        with program.holding():
            send_bound(peer, 1, ROOT, STACKS)
            send_bound(peer, 2, STACKS)
            send_bound(peer, 3, ROOT)
            assert all(b"C code: " in (peer.receive_frame() or b"") for _ in range(2))
        assert all(b"C code: " not in (peer.receive_frame() or b"C code: ") for _ in range(2))


def test_an_unprivileged_program_that_is_not_dumpable(tmp_path: Path) -> None:
    """It listens on a Unix socket, as another user; its memory is not readable through /proc."""
    tmp_path.chmod(0o711)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o111)
    address = "@" + uuid.uuid4().hex
    with held_alone(tmp_path, before=BECOME_NOBODY, unix_socket=address) as held:
        process = stacks_without_gil(held)
    assert ("system calls", "the process is not dumpable") in process["missing"]


def test_a_program_that_may_not_call_process_vm_readv(tmp_path: Path) -> None:
    """The filter is installed when the server runs already."""
    with held_alone(tmp_path, before=FORBID_READING) as held:
        process = stacks_without_gil(held, "deeper(300)")
    main = process["threads"]["MainThread"]
    assert [f[2] for f in main["frames"]].count("deeper") == 301


def test_a_client_that_hangs_up_is_gone_at_once(program: Held) -> None:
    before = program.debuggee.holdings()
    with program.holding():
        for _ in range(3):
            with raw_connect(program.debuggee) as peer:
                ask(peer, ROOT, STACKS)
                process_of(receive(peer))
        program.debuggee.wait_until_back_to(before)


def test_many_clients_share_one_helper(program: Held) -> None:
    with contextlib.ExitStack() as stack, program.holding():
        threads = len(program.debuggee.threads())
        peers = [stack.enter_context(raw_connect(program.debuggee)) for _ in range(100)]
        for peer in peers:
            ask(peer, ROOT, STACKS)
        answers = [process_of(receive(peer)) for peer in peers]
        assert {answer["gil"][0] for answer in answers} == {"held"}
        assert len(program.debuggee.threads()) == threads + 100


def test_a_restricted_service_gives_no_stacks(program: Held) -> None:
    restricted = Debuggee.__new__(Debuggee)
    restricted.host, restricted.port, restricted.unix_socket = "127.0.0.1", None, None
    restricted.port = program.debuggee.told["restricted"]
    with raw_connect(restricted) as peer:
        peer.root()
        with program.holding():
            ask(peer, ROOT, STACKS)
            answer = receive(peer)
            assert answer.kind == EXCEPTION
            assert error_name(answer) == "ValueError"
        assert receive(peer).kind == REPLY


#: The main thread has the GIL without a break, until C code of it has forked or ended the process.
WITHOUT_A_BREAK = "sys.setswitchinterval(1000); hold(); "
IN_CHILD = """
other = pystuck.run_server(port=0)
print(json.dumps({"host": other.host, "port": other.port, "pid": os.getpid()}), flush=True)
hold()
"""


@pytest.mark.skipif(THREAD_SANITIZED, reason="the sanitizer fails if the child starts threads")
@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_a_child_that_is_forked_during_the_wait(lone: Held, fork: str) -> None:
    code = f"{WITHOUT_A_BREAK}pid = {fork}\nif not pid:\n"
    code += "".join(f"    {line}\n" for line in IN_CHILD.strip().split("\n"))
    code += "    os._exit(7)\nhold()\nassert os.waitpid(pid, 0)[1] == 7 << 8"
    with raw_connect(lone.debuggee) as peer:
        with lone.holding(code):
            ask(peer, ROOT, STACKS)
            process_of(receive(peer))
        child = Debuggee.__new__(Debuggee)
        told = json.loads(lone.debuggee.read_line())
        child.host, child.port, child.unix_socket = told["host"], told["port"], None
        wait_until(lambda: lone.is_held(pid=told["pid"]), "the child to hold the GIL")
        with raw_connect(child) as other:
            ask(other, ROOT, STACKS)
            assert process_of(receive(other))["gil"][0] == "held"
            ask(peer, STACKS)
            assert process_of(receive(peer))["pid"] == lone.debuggee.pid
            lone.release()  # the child and the program read one byte each
        lone.release()
        assert json.loads(lone.debuggee.read_line()) is None
        assert receive(peer).seq == 0


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("sys.exit(3)", 3),
        ("os._exit(4)", 4),
        ("os.execve('/bin/sh', ['sh', '-c', 'exit 5'], {})", 5),
        ("import atexit; atexit.register(hold); sys.exit(6)", 6),
    ],
    ids=["exit", "_exit", "exec", "atexit"],
)
def test_the_program_ends_during_the_wait(tmp_path: Path, end: str, status: int) -> None:
    with held_alone(tmp_path, after=WITHOUT_A_BREAK + end) as lone:
        with raw_connect(lone.debuggee) as peer:
            with lone.holding():
                ask(peer, ROOT, STACKS)
                process_of(receive(peer))
            if "atexit" in end:
                wait_until(lone.is_held, "the handler to hold the GIL")
                ask(peer, STACKS)
                assert process_of(receive(peer))["gil"][0] == "held"
                lone.release()
            assert lone.debuggee.wait() == status
        assert lone.debuggee.stderr() == ""


#: Changes the offset number sys.argv[1] in the extension's table, in memory, and starts a server.
#: Prints the server's warning as JSON, or null. test_stackreader.py changes each offset. With a
#: second argument, a forked child then prints whether its answer says that locks are not shown.
BROKEN = """
import ctypes, json, logging, mmap, os, queue, socket, subprocess, sys, threading, time, warnings
import _pystuck, pystuck

def find_table():
    nm = subprocess.run(["nm", "-S", _pystuck.__file__], capture_output=True, text=True, check=True)
    rows = [line.split() for line in nm.stdout.splitlines()]
    words = next(row for row in rows if row[-1] == "ps_own_offsets")
    with open("/proc/self/maps") as maps:
        base = next(line for line in maps if line.strip().endswith(_pystuck.__file__))
    address = int(base.split("-")[0], 16) + int(words[0], 16)
    page, size = address & -mmap.PAGESIZE, 2 * mmap.PAGESIZE
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), ctypes.c_size_t(size), 3) == 0
    return (ctypes.c_int * (int(words[1], 16) // 4)).from_address(address)

class Starter:
    def start(self, number):
        if number is not None:
            table[number] += 8
        return pystuck.run_server(
            port=0,
            logger=logger,
        )

def start(number):
    threading.current_thread().name = "main é"
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    server = Starter().start(number)
    with socket.create_connection(("127.0.0.1", server.port)):
        first = records.get()  # if there is no warning, it says that the client has connected
    return server, first.getMessage() if first.levelno == logging.WARNING else None

class Records(logging.Handler):
    def emit(self, record):
        records.put(record)

records = queue.Queue()
logger = logging.getLogger("mine")
logger.setLevel(logging.INFO)
logger.addHandler(Records())
table = find_table()
server, warning = start(int(sys.argv[1]))
print(json.dumps(warning), flush=True)
print(json.dumps({"host": server.host, "port": server.port}), flush=True)
sys.stdin.readline()
warnings.simplefilter("ignore")
if sys.argv[2:] and os.fork() == 0:
    print(any(each["what"] == "locks" for each in pystuck.why()["missing"]), flush=True)
    os._exit(0)
elif sys.argv[2:]:
    os.wait()
print("went on", flush=True)
"""

#: Like BROKEN, but the server fails to start after the warning was queued, while the logger runs.
FAILS = (
    BROKEN.split("server, warning = ")[0].replace("port=0", "unix_socket='/nonexistent/s'")
    + """
class Slow(logging.Handler):
    def emit(self, record):
        goes_on.wait()

def names():
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                yield comm.read().strip()
        except OSError:  # the thread has just ended
            pass

goes_on = threading.Event()
logger.addHandler(Slow())
try:
    Starter().start(int(sys.argv[1]))
except OSError as error:
    goes_on.set()
    print(type(error).__name__, records.get().levelname, flush=True)
while "pystuck-log" in names():
    time.sleep(0.005)
print("went on", flush=True)
"""
)

NAMES = list(
    runpy.run_path(str(Path(__file__).parent / "programs" / "offset_names.py"))["members"](
        (Path(__file__).parents[2] / "stackreader" / "offsets.h").read_text()
    )
)
#: The indices of two members of struct offsets.
FIRST_LINE, FUNCTION_CODE = NAMES.index("code.first_line"), NAMES.index("function.code")


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm")
@pytest.mark.parametrize(
    ("offset", "warning"),
    [
        (
            FIRST_LINE,
            r"the stacks cannot be read while C code keeps the GIL: .+ "
            r"\(known versions of Python: 3\.9 to 3\.15\)",
        ),
        (
            FUNCTION_CODE,
            r"what threads wait for and hold cannot be read: offsets are wrong: .+",
        ),
    ],
    ids=["frames", "locks"],
)
def test_a_wrong_offset_turns_the_reader_off(offset: int, warning: str) -> None:
    running = Running([python(), "-c", BROKEN, str(offset), "fork"], debuggee_environment())
    try:
        assert re.fullmatch(warning, json.loads(running.read_line()))
        debuggee = Debuggee.__new__(Debuggee)
        told = json.loads(running.read_line())
        debuggee.host, debuggee.port, debuggee.unix_socket = told["host"], told["port"], None
        with raw_connect(debuggee) as peer:
            ask(peer, ROOT, STACKS)
            assert receive(peer).kind == REPLY
            process = process_of(receive(peer))
            assert process["source"] == "server"
            missing = dict(process["missing"])
            assert missing["locks"].startswith(("they could not be read", "they cannot be read"))
            reads_stacks = offset == FUNCTION_CODE
            assert ("system calls" not in missing) == reads_stacks
            assert (process["threads"]["main é"]["state"] == "S") == reads_stacks
            assert peer.eval("6 * 7") == 42
        running.write("go on\n")
        assert (running.wait(), running.read_rest()) == (0, "True\nwent on\n")
        assert running.stderr() == ""
    finally:
        running.kill()


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm")
def test_a_server_that_does_not_start_may_still_log() -> None:
    running = Running([python(), "-c", FAILS, str(FIRST_LINE)], debuggee_environment())
    try:
        assert running.read_line() == "FileNotFoundError WARNING"
        assert (running.wait(), running.read_rest(), running.stderr()) == (0, "went on\n", "")
    finally:
        running.kill()
