# SPDX-License-Identifier: BSD-3-Clause
"""The reserve: a program that has used up its descriptors, threads or address space still answers.

test_faults.py tests calls that fail for a moment.
"""

from __future__ import annotations

import contextlib
import errno
import re
import resource
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import Faults, Kind, Whose, needs_faults
from harness import (
    BUSY,
    PATIENCE,
    SANITIZED,
    Debuggee,
    pystuck,
    run_python,
    tell,
    wait_until,
)
from rawpeer import REPLY, VALUE, Handler, RawPeer, box, raw_connect

Start = Callable[..., Debuggee]

#: The descriptors that a server keeps aside.
RESERVE = 3

NOFILE = resource.RLIMIT_NOFILE


@contextlib.contextmanager
def few_descriptors(debuggee: Debuggee, free: int = 0) -> Iterator[int]:
    """Leaves the program so many free descriptors. Gives its limit."""
    before = resource.prlimit(debuggee.pid, NOFILE)
    limit = len(debuggee.descriptors()) + free
    resource.prlimit(debuggee.pid, NOFILE, (limit, before[1]))
    try:
        yield limit
    finally:
        resource.prlimit(debuggee.pid, NOFILE, before)


def kinds(debuggee: Debuggee) -> tuple[list[str], int]:
    """Returns what the descriptors are, without inodes, and the number of threads."""
    links = debuggee.descriptors().values()
    return sorted(re.sub(r"\d+", "", link) for link in links), len(debuggee.threads())


def first_line(debuggee: Debuggee) -> str:
    """Returns the first line of pystuck's output; the stacks must be there as well."""
    done = pystuck("--no-ipython", debuggee.host, debuggee.port)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "<_MainThread(" in shown
    assert "  File " in shown
    return shown.partition("\n")[0]


def ask(peer: RawPeer) -> None:
    peer.send(peer.request_frame(Handler.PING, box(("asked",)), 5))


def assert_answered(peer: RawPeer) -> None:
    assert peer.answer() == (REPLY, 5, (VALUE, "asked"))


# ---- Descriptors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("free", [0, 1, 2])
def test_a_program_without_free_descriptors_serves_one_more_client(
    ours: Debuggee, free: int
) -> None:
    """The second client waits. It is served when the first one has left."""
    before = kinds(ours)
    with few_descriptors(ours, free):
        with contextlib.ExitStack() as stack:
            for _ in range(free):
                assert stack.enter_context(raw_connect(ours)).works()
            first, second = raw_connect(ours), stack.enter_context(raw_connect(ours))
            ask(second)
            with first:
                assert first.eval("6 * 7") == 42
                assert not select.select([second.sock], [], [], 0.3)[0]
                assert first.works()
            assert_answered(second)
        wait_until(lambda: kinds(ours) == before, "the reserve to be full again")


def test_no_client_uses_the_reserve_up(ours: Debuggee) -> None:
    before = kinds(ours)
    with few_descriptors(ours):
        for number in range(300):
            with raw_connect(ours) as peer:
                if number % 3:
                    assert peer.works()
        wait_until(lambda: kinds(ours) == before, "the reserve to be full again")


def socket_of(debuggee: Debuggee, peer: RawPeer) -> str:
    """Returns the link of the descriptor that the server has for a client."""
    ours, theirs = f":{debuggee.port:04X}", f":{peer.sock.getsockname()[1]:04X}"
    rows = [line.split() for line in Path(f"/proc/{debuggee.pid}/net/tcp").read_text().splitlines()]
    (inode,) = (row[9] for row in rows if row[1].endswith(ours) and row[2].endswith(theirs))
    return f"socket:[{inode}]"


def test_the_descriptor_of_a_client_is_never_free(start_debuggee: Start) -> None:
    """When the client leaves, a socket of the reserve takes its place: a duplicate of another one.
    Otherwise a program that opens descriptors in a loop might get it."""
    debuggee = start_debuggee()
    with few_descriptors(debuggee):
        with raw_connect(debuggee) as peer:
            assert peer.works()
            link, during = socket_of(debuggee, peer), debuggee.descriptors()
        (number,) = (each for each, its in during.items() if its == link)
        after = wait_until(
            lambda: (links := debuggee.descriptors()).get(number) != link and links,
            "the client's socket to be closed",
        )
        assert after[number] in set(during.values()) - {link}


def test_a_client_that_has_gone_keeps_no_descriptor(stuck: Debuggee) -> None:
    """Its request does not end, and neither does its thread."""
    with few_descriptors(stuck):
        with raw_connect(stuck) as gone:
            block = gone.eval(f"lambda: {BUSY['waiting for a lock']}")
            gone.send(gone.request_frame(Handler.CALL, box((block, (), ()))))
        with raw_connect(stuck) as peer:
            assert peer.works()


def test_the_first_line_says_that_there_are_no_descriptors(obedient: Debuggee) -> None:
    with few_descriptors(obedient, 50) as limit:
        code = f"import os; leaked = [os.open('/dev/zero', 0) for _ in range({50})]"
        assert tell(obedient, code) is None
        assert first_line(obedient) == (
            f"out of file descriptors: {limit} of {limit} open, "
            "most of them: 50 descriptors of /dev/zero"
        )
        assert tell(obedient, "for fd in leaked: os.close(fd)") is None
    assert first_line(obedient).startswith("<_MainThread(")


#: Puts /dev/null and a socket in the place of the reserve's descriptors: sockets that are not
#: connected.
REPLACE = """
import os, socket, stat
null, replaced = os.open("/dev/null", os.O_RDONLY), []
own = socket.socket()
for name in os.listdir("/proc/self/fd"):
    try:
        if not stat.S_ISSOCK(os.stat(int(name)).st_mode):
            continue
    except OSError:
        continue
    with socket.socket(fileno=os.dup(int(name))) as sock:
        if sock.family == socket.AF_UNIX and sock.type == socket.SOCK_DGRAM:
            os.dup2(own.fileno() if replaced else null, int(name))
            replaced.append(int(name))
"""

CHECK = f"""
assert len(replaced) == {RESERVE}
inodes = [os.fstat(fd).st_ino for fd in (null, *[own.fileno()] * {RESERVE - 1})]
assert [os.fstat(fd).st_ino for fd in replaced] == inodes
"""


def test_descriptors_that_the_program_has_closed_are_not_touched(obedient: Debuggee) -> None:
    assert tell(obedient, REPLACE) is None
    for _ in range(2):
        with raw_connect(obedient) as peer:
            assert peer.works()
    assert tell(obedient, CHECK) is None
    assert tell(obedient, "if os.fork() == 0: os._exit(0)\nos.wait(); server.close()") is None
    assert tell(obedient, CHECK) is None


#: Compares the descriptors and threads before a server was started and after it was closed.
COMPARE = """
import os, time
def count():
    for _ in range(1000):  # a thread that has ended may be in the list for a moment
        found = [len(os.listdir("/proc/self/" + name)) for name in ("fd", "task")]
        if found[1] == 1:
            break
        time.sleep(0.01)
    return found
server.close()
before = count()
pystuck.run_server(port=0).close()
assert count() == before and before[1] == 1, (count(), before)
"""


def test_a_server_that_is_closed_keeps_nothing(obedient: Debuggee) -> None:
    assert tell(obedient, COMPARE) is None


@needs_faults
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_a_client_is_accepted_although_there_is_no_descriptor(
    start_debuggee: Start, tmp_path: Path, error: int
) -> None:
    """ENFILE: the machine has no more open files."""
    faults = Faults(tmp_path)
    debuggee = start_debuggee(env=faults.env)
    faults.find_code(debuggee)
    with faults.failing(Kind.ACCEPT, Whose.CODE, count=1, error=error):
        with raw_connect(debuggee) as peer:
            assert peer.works()
        assert faults["failed"] == 1


@needs_faults
def test_a_client_is_accepted_although_the_program_takes_a_descriptor(
    start_debuggee: Start, tmp_path: Path
) -> None:
    """A thread that opens descriptors in a loop gets the one that is closed for the client."""
    faults = Faults(tmp_path)
    debuggee = start_debuggee(env=faults.env)
    faults.find_code(debuggee)
    with few_descriptors(debuggee):
        with contextlib.ExitStack() as stack:
            stack.enter_context(faults.failing(Kind.TAKEN, Whose.CODE, first=2))
            first, second = raw_connect(debuggee), stack.enter_context(raw_connect(debuggee))
            ask(second)
            with first:
                assert first.works()
                assert faults["failed"] == 1
                assert not select.select([second.sock], [], [], 0.3)[0]
            assert_answered(second)
        with raw_connect(debuggee) as peer:
            assert peer.works()


# ---- Threads -------------------------------------------------------------------------------------


@needs_faults
def test_one_client_is_served_if_no_thread_can_be_started(
    start_debuggee: Start, tmp_path: Path
) -> None:
    """The second client waits. It is served when the first one has left."""
    faults = Faults(tmp_path)
    debuggee = start_debuggee(env=faults.env)
    faults.find_code(debuggee)
    before = debuggee.holdings()
    with faults.failing(Kind.THREAD, Whose.CODE, count=1 << 40, error=errno.EAGAIN):
        for _ in range(20):
            with raw_connect(debuggee) as peer:
                assert peer.eval("6 * 7") == 42
        with raw_connect(debuggee) as first, raw_connect(debuggee) as second:
            assert first.works()
            ask(second)
            assert not select.select([second.sock], [], [], 0.3)[0]
            with raw_connect(debuggee) as gone:
                ask(gone)
            assert first.works()
            first.sock.close()
            assert_answered(second)
    debuggee.wait_until_back_to(before)
    assert {"pystuck-spare"} <= {
        Path(f"/proc/{debuggee.pid}/task/{thread}/comm").read_text().strip()
        for thread in debuggee.threads()
    }


# ---- Address space -------------------------------------------------------------------------------

#: Uses up the address space, so that no page can be mapped.
USE_UP = """
import ctypes, resource
libc = ctypes.CDLL(None)
libc.mmap.restype = libc.malloc.restype = ctypes.c_void_p
size = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize:")][0]
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size * 1024 + (8 << 20), limits[1]))
length = 1 << 22
while length >= 4096:
    at = libc.mmap(None, ctypes.c_size_t(length), 0, 0x22, -1, ctypes.c_long(0))
    if at == ctypes.c_void_p(-1).value: length //= 2
length = 1 << 15
while length >= 1024:  # what is smaller stays free for Python itself
    if not libc.malloc(length): length //= 2
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers map terabytes")
def test_a_program_without_address_space_answers(obedient: Debuggee) -> None:
    assert tell(obedient, USE_UP) is None
    for _ in range(2):
        assert "out of address space: " in first_line(obedient)
    assert tell(obedient, "resource.setrlimit(resource.RLIMIT_AS, limits)") is None
    assert first_line(obedient).startswith("<_MainThread(")


#: Prints true if the listener's thread sleeps again and again while poll() fails. The client's end
#: wakes it.
WITHOUT_POLL = """
import glob, json, os, pystuck, resource, socket, time
server = pystuck.run_server(port=0)
client = socket.create_connection((server.host, server.port))
def listeners():
    for path in glob.glob("/proc/self/task/*/status"):
        try:
            if open(path).read().startswith("Name:\\tpystuck:"):
                yield path
        except OSError:  # the thread has ended
            pass
while len(found := list(listeners())) != 1:  # threads that check something end soon
    time.sleep(0.01)
status = os.open(*found, os.O_RDONLY)
def sleeps():
    return int(os.pread(status, 10000, 0).split(b"voluntary_ctxt_switches:")[1].split()[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
client.close()
before, end = sleeps(), time.monotonic() + float(os.environ["PATIENCE"])
while sleeps() < before + 4 and time.monotonic() < end:
    time.sleep(0.05)
print(json.dumps(sleeps() >= before + 4))
server.close()
"""


def test_the_listener_does_not_spin_if_the_program_may_open_no_descriptor() -> None:
    """With RLIMIT_NOFILE 0, as a sandbox sets it, poll() fails for each socket."""
    assert run_python(WITHOUT_POLL, PATIENCE=str(PATIENCE / 2)) is True
