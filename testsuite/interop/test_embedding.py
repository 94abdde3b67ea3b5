# SPDX-License-Identifier: BSD-3-Clause
"""A C program can end Python, start it again, and continue with the same port."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    BUSY,
    SANITIZED,
    Running,
    build_setting,
    debuggee_environment,
    pystuck,
    python,
    wait_until,
)
from rawpeer import Handler, RawPeer, box, call_back, is_refused, raw_connect

HERE = Path(__file__).parent

#: The code of one life: starts a server, prints its port, and ends after a line on stdin.
LIFE = """
import json, os, pystuck
server = pystuck.run_server(**json.loads({options!r}))
where = dict(host=server.host, port=server.port, unix_socket=server.unix_socket)
os.write(1, json.dumps(where).encode() + b"\\n")
while os.read(0, 1) not in (b"\\n", b""):
    pass
{at_end}
"""

#: Returns how many threads run Python.
FRAMES = "len(__import__('sys')._current_frames())"

COMPUTING = BUSY["computing"]

#: Numbers of the system calls pause and, where there is no pause, ppoll, as /proc shows them.
PAUSE = {"34", "73"}

Connect = Callable[[Any], Any]


class Embedding(Running):
    """A running program of embedding.c, which starts and ends Python several times."""

    host: str | None
    port: int | None
    unix_socket: str | None

    def begin(self) -> None:
        """Waits until Python has started and there is a server."""
        told = json.loads(self.read_line())
        self.host, self.port, self.unix_socket = told["host"], told["port"], told["unix_socket"]

    def end(self, number: int) -> None:
        """Ends Python."""
        self.write("end\n")
        assert self.read_line() == f"life {number} is over"

    def go_on(self) -> None:
        """Starts Python again, or ends the program."""
        self.write("go on\n")

    def end_well(self) -> None:
        """Ends the program after Python has ended for the last time."""
        self.go_on()
        assert (self.wait(), self.stderr()) == (0, "")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Builds the program, linked with the library of the debuggees' Python."""
    if SANITIZED:
        pytest.skip("the sanitizers' library has to come first")
    script = HERE.parent / "fuzz" / "libpython.py"
    found = subprocess.run([python(), str(script)], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(found.stderr)
    where = "import sysconfig; print(sysconfig.get_path('include'))"
    include = subprocess.run(
        [python(), "-c", where], capture_output=True, text=True, check=True
    ).stdout.strip()
    path = str(tmp_path_factory.mktemp("embedding") / "embedding")
    source = str(HERE / "embedding.c")
    cc = shlex.split(build_setting("CC"))
    built = subprocess.run(
        [*cc, "-D_GNU_SOURCE", f"-I{include}", source, "-o", path, "-rdynamic"]
        + shlex.split(found.stdout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture
def start(program: str) -> Iterator[Callable[..., Embedding]]:
    """Starts the program, in which Python starts this many times."""
    started: list[Embedding] = []

    def start_it(lives: int, at_end: str = "", **options: Any) -> Embedding:
        code = LIFE.format(options=json.dumps(options), at_end=at_end)
        home = subprocess.run(
            [python(), "-c", "import sys; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        environment = debuggee_environment(PYTHONHOME=home)
        started.append(Embedding([program, *[code] * lives], environment))
        return started[-1]

    yield start_it
    for one in started:
        one.kill()


def lives(embedding: Embedding) -> Iterator[int]:
    """Yields the number of each life of Python, after its beginning. The caller ends the life."""
    for life in (1, 2, 3):
        embedding.begin()
        yield life
        if life < 3:
            embedding.go_on()
    embedding.end_well()


def expect_end(peer: RawPeer) -> None:
    """Checks that the client gets the end of the connection, whatever it has sent before."""
    try:
        while peer.receive() is not None:
            pass
    except ConnectionError:
        pass


def test_the_port_is_free_when_python_has_ended(
    start: Callable[..., Embedding], connect: Connect, free_port: int
) -> None:
    embedding = start(3, port=free_port)
    for life in lives(embedding):
        client = connect(embedding)
        assert client.eval("1 + 1") == 2
        held = client.eval("[1]")
        embedding.end(life)
        assert is_refused(embedding)
        with pytest.raises((EOFError, ConnectionError)):
            held[0]


@pytest.mark.parametrize("text", BUSY.values(), ids=BUSY.keys())
def test_a_request_of_a_former_life_does_no_harm(
    start: Callable[..., Embedding], text: str, free_port: int
) -> None:
    embedding = start(3, port=free_port)
    for life in lives(embedding):
        with raw_connect(embedding) as peer, raw_connect(embedding) as other:
            root = peer.root()
            peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (text,)))))
            wait_until(lambda other=other: other.eval(FRAMES) == 3, "the request to be served")
            embedding.end(life)
            expect_end(peer)
            expect_end(other)


def test_a_thread_that_waits_for_a_client_stays_in_its_life(
    start: Callable[..., Embedding],
    free_port: int,
) -> None:
    """The thread gets the end when Python has ended, or has been started again."""
    embedding = start(3, port=free_port)
    for life in lives(embedding):
        with raw_connect(embedding) as peer:
            call_back(peer, peer.eval("lambda f: f()"))
            embedding.end(life)
            expect_end(peer)


def clients_in_python(embedding: Embedding) -> list[str]:
    """Returns the ids of threads that serve clients and have not noticed the end of their Python.

    When a thread notices, it ends; from Python 3.14 on it waits in pause(2) forever.
    """
    found = []
    for task in Path(f"/proc/{embedding.pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            is_paused = (task / "syscall").read_text().split()[0] in PAUSE
        except OSError:  # the thread has ended
            continue
        if name == "pystuck-client" and not is_paused:
            found.append(task.name)
    return found


def test_python_ends_after_a_slow_thread_that_runs_python(
    start: Callable[..., Embedding], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    """The thread has released the GIL between two instructions, and uses a CPU before it asks for
    the GIL again. If Python had been started again by then, its thread state would be freed."""
    monkeypatch.setenv("DELAY_CLIENTS", "1")
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    embedding = start(8, port=free_port)
    for life in range(1, 9):
        embedding.begin()
        wait_until(lambda: not clients_in_python(embedding), "the threads to end")
        with raw_connect(embedding) as peer, raw_connect(embedding) as other:
            root = peer.root()
            peer.send(peer.request_frame(Handler.CALLATTR, box((root, "eval", (COMPUTING,)))))
            wait_until(lambda other=other: other.eval(FRAMES) == 3, "the request to be served")
            embedding.end(life)
            expect_end(peer)
        if life < 8:
            embedding.go_on()
    embedding.end_well()


def test_a_thread_that_wakes_in_the_next_life_does_not_run_python(
    start: Callable[..., Embedding],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    free_port: int,
) -> None:
    """The thread waits for a client's reply in our code while Python ends, and goes on after Python
    was started again: its thread state was freed."""
    monkeypatch.setenv("HOLD_CLIENTS", "1")
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    embedding = start(3, port=free_port)
    for life in (1, 2, 3):
        embedding.begin()
        wait_until(lambda: not clients_in_python(embedding), "the thread to end")
        assert connect(embedding).eval("1 + 1") == 2
        with raw_connect(embedding) as peer:
            call_back(peer, peer.eval("lambda f: f()"))
            embedding.end(life)
            expect_end(peer)
        if life < 3:
            assert clients_in_python(embedding)
            embedding.go_on()
    embedding.end_well()


def test_what_python_runs_while_it_ends_is_still_served(
    start: Callable[..., Embedding], connect: Connect, free_port: int
) -> None:
    at_end = "import atexit; atexit.register(lambda: (os.write(1, b'atexit\\n'), os.read(0, 100)))"
    embedding = start(2, at_end, port=free_port)
    for life in (1, 2):
        embedding.begin()
        client = connect(embedding)
        embedding.write("end\n")
        assert embedding.read_line() == "atexit"
        assert client.eval("1 + 1") == 2
        assert connect(embedding).eval("1 + 1") == 2
        embedding.end(life)
        if life < 2:
            embedding.go_on()
    embedding.end_well()


def test_the_file_of_a_unix_socket_is_removed_at_the_end_of_a_life(
    start: Callable[..., Embedding], connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    embedding = start(2, unix_socket=str(path))
    for life in (1, 2):
        embedding.begin()
        assert connect(embedding).eval("1 + 1") == 2
        embedding.end(life)
        assert not path.exists()
        if life < 2:
            embedding.go_on()
    embedding.end_well()


def test_the_child_of_a_life_has_nothing_to_close(
    start: Callable[..., Embedding], connect: Connect
) -> None:
    """A forked child ends Python as well; the server of the parent continues."""
    # Python 3.12 and later warn of a fork in a process with threads.
    quiet = "import warnings; warnings.simplefilter('ignore')\n"
    at_end = "pid = os.fork()\nif pid: assert os.waitpid(pid, 0)[1] == 0"
    code = quiet + at_end + "\nelse: raise SystemExit(0)"
    embedding = start(1, code + "\nos.write(1, b'forked\\n')\nos.read(0, 100)", port=0)
    embedding.begin()
    client = connect(embedding)
    embedding.write("fork\n")
    assert embedding.read_line() == "forked"
    assert client.eval("1 + 1") == 2
    assert connect(embedding).eval("1 + 1") == 2
    embedding.end(1)
    embedding.end_well()


#: Keeps the GIL in C code, until a byte arrives on stdin, when Python has begun to end.
STUCK_AT_END = """
import ctypes
class Stuck:
    def __del__(self, read=ctypes.PyDLL(None).read, to=ctypes.create_string_buffer(1)):
        read(0, to, 1)
stuck = Stuck()
"""


def test_the_stacks_come_while_python_ends(start: Callable[..., Embedding]) -> None:
    embedding = start(1, STUCK_AT_END, port=0)
    embedding.begin()
    with raw_connect(embedding) as peer:
        root = peer.root()

        def shows_the_end() -> bool:
            with raw_connect(embedding) as other:
                answers = [
                    each.request(Handler.STACKS, 2, 0, 500)
                    for each in (other, peer)
                    if each is peer or other.request(Handler.GETROOT)
                ]
            return all("__del__" in str(answer) for answer in answers)

        embedding.write("end\n")
        wait_until(shows_the_end, "Python to end")
        assert peer.error(Handler.CALLATTR, root, "eval", ("1",)) == "RuntimeError"
        done = pystuck("--no-repl", embedding.host, embedding.port)
        assert (done.returncode, done.stderr) == (0, "")
        assert "in __del__" in done.stdout
        embedding.write("x")
        assert embedding.read_line() == "life 1 is over"
    embedding.end_well()
