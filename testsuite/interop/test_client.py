# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) with pystuck's server, with stock servers of both generations, with no server."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    PATIENCE,
    PROGRAMS,
    Debuggee,
    Running,
    c_program,
    clean_environment,
    command,
    errors_with_output,
    pystuck,
    stock_environment,
    wait_until,
)
from rawpeer import Handler, box, playing, raw_connect

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]
Done = subprocess.CompletedProcess


def without_reasons(text: str) -> str:
    """The stacks alone, without the findings before them and the notes below them."""
    text = re.sub("^  # .*\n", "", text, flags=re.MULTILINE)
    return text[text.index("<") :]


def stacks_of(debuggee: Debuggee, *options: str) -> str:
    """The output of the client for a debuggee, once its main thread is stuck."""
    where = ["--unix-socket", debuggee.unix_socket]
    if debuggee.port:
        where = [debuggee.host, debuggee.port]

    def printed() -> str:
        done = pystuck("--no-ipython", *options, *where)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout if "could block" in done.stdout else ""

    return wait_until(printed, "the main thread to be stuck")


MAIN_THREAD = r"<_MainThread\(MainThread, started \d+\)>\n"
WORKER = r"<Thread\(Thread-\d+ \(work\), started daemon \d+\)>\n"
OLD_WORKER = r"<Thread\(Thread-\d+, started daemon \d+\)>\n"  # the title in Python 3.9
FRAME = r'  File "[^"\n]+", line \d+, in [^\n]+\n(?:    [^\n]+\n)?'


def stuck_frame(program: str, function: str, line: str) -> str:
    """The pattern of one frame of a program."""
    path = re.escape(str(PROGRAMS / program))
    return rf'  File "{path}", line \d+, in {function}\n    {re.escape(line)}\n'


# ---- Stacks --------------------------------------------------------------------------------------


def test_the_stacks_are_those_of_the_readme(stuck: Debuggee) -> None:
    main = MAIN_THREAD + stuck_frame("stuck.py", "<module>", "with lock:  # could block")
    worker = (
        f"\n(?:{WORKER}|{OLD_WORKER})"
        + stuck_frame("stuck.py", "work", "sys.stdin.readline()")
        + "\n"
    )
    assert re.fullmatch(main + worker, without_reasons(stacks_of(stuck)))


#: #: Prints the stacks of the program's threads as Python formats them.
EXPECTED = """
import sys, threading, traceback
def expected():
    frames = sys._current_frames()
    return "".join(
        repr(thread) + "\\n" + "".join(traceback.format_stack(frames[thread.ident])) + "\\n"
        for thread in threading.enumerate()
    )
"""


def expected_stacks(debuggee: Debuggee, connect: Connect) -> str:
    """The stacks of a debuggee, as its own Python formats them."""
    client = connect(debuggee)
    client.execute(EXPECTED)
    return client.eval("expected()")


def test_the_stacks_are_the_same_as_from_the_module_traceback(
    stuck: Debuggee, connect: Connect
) -> None:
    printed = stacks_of(stuck, "--full")
    assert without_reasons(printed) == expected_stacks(stuck, connect)


MANY_THREADS = """
import threading
started, ending = [], threading.Event()
def deep(n):
    if n:
        return deep(n - 1)
    started.append(n)
    ending.wait()
def gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n():
    deep(0)
exec(compile("def from_nowhere():\\n    deep(0)\\n", "<no file>", "exec"), globals())
class Odd(threading.Thread):
    def __repr__(self):
        return "<odd one \N{SNOWMAN}>"
for thread in (
    threading.Thread(target=deep, args=(300,), name="deep", daemon=True),
    threading.Thread(target=gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n, name="\N{SNOWMAN}"),
    threading.Thread(target=from_nowhere, name="", daemon=True),
    Odd(target=deep, args=(2,), daemon=True),
):
    thread.start()
while len(started) < 4:
    threading.Event().wait(0.001)
"""


def test_threads_of_all_kinds_are_shown(start_debuggee: Start, connect: Connect) -> None:
    debuggee = start_debuggee("plain.py", arguments=(MANY_THREADS, "ending.set()"))

    def printed() -> str:
        done = pystuck("--no-ipython", "--full", debuggee.host, debuggee.port)
        assert (done.returncode, done.stderr) == (0, "")
        return without_reasons(done.stdout)

    # A thread reports that it has started just before it waits, so poll until it waits.
    text = wait_until(
        lambda: (text := printed()) == expected_stacks(debuggee, connect) and text,
        "the stacks to be what Python says",
    )
    assert "<odd one \N{SNOWMAN}>\n" in text
    assert "[Previous line repeated" in text
    assert '  File "<no file>", line 2, in from_nowhere\n' in text
    assert text.count("started daemon") == 2


def test_no_thread_of_the_server_is_shown(stuck: Debuggee, connect: Connect) -> None:
    before = stacks_of(stuck)
    idle = connect(stuck)
    idle.eval("__import__('threading').current_thread()")
    with raw_connect(stuck) as sleeping, raw_connect(stuck) as calling:
        sleeping.send(
            sleeping.request_frame(
                Handler.CALLATTR,
                box((sleeping.root(), "eval", ("__import__('threading').Event().wait()",))),
            )
        )
        function = calling.eval("lambda f: f()")
        boxed = (2, (box(function), (2, ((4, ("some.function", 1, 2)),)), box(())))
        calling.send(calling.request_frame(Handler.CALL, boxed))
        calling.answer_inspect(("__call__", None))
        called = calling.receive()
        assert called is not None
        assert called.args[0] == Handler.CALL
        idle.execute("import sys, threading")
        # The program's two threads, two threads that serve a request, and the one that serves this
        # client.
        wait_until(lambda: idle.eval("len(sys._current_frames())") >= 5, "requests to be served")
        assert stacks_of(stuck) == before


def test_the_client_leaves_nothing_behind_in_the_debuggee(stuck: Debuggee) -> None:
    before = stuck.holdings()
    for _ in range(10):
        stacks_of(stuck)
    stuck.wait_until_back_to(before)


def test_stacks_over_a_unix_socket(start_debuggee: Start, socket_dir: Path) -> None:
    debuggee = start_debuggee(unix_socket=str(socket_dir / "s"))
    assert re.search(MAIN_THREAD, stacks_of(debuggee))


def test_stacks_over_ipv6(start_debuggee: Start, ipv6: None) -> None:
    assert re.search(MAIN_THREAD, stacks_of(start_debuggee(host="::1")))


def test_a_name_of_the_host_is_looked_up(stuck: Debuggee) -> None:
    done = pystuck("--no-ipython", "localhost", stuck.port)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(MAIN_THREAD, done.stdout)


def test_the_address_can_be_given_in_several_ways(start_debuggee: Start) -> None:
    debuggee = start_debuggee(host="127.0.0.2")
    host, port = "127.0.0.2", str(debuggee.port)
    for arguments in (
        [host, port],
        ["--host", host, "--port", port],
        [f"--host={host}", f"--port={port}"],
        ["--port", port, host],
        [host, "--port", port],
    ):
        done = pystuck("--no-ipython", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Thread" in done.stdout


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "no_such_LOCALE"])
def test_the_locale_makes_no_difference(
    start_debuggee: Start, connect: Connect, locale: str
) -> None:
    debuggee = start_debuggee("plain.py", arguments=(MANY_THREADS, "ending.set()"))
    done = pystuck("--no-ipython", debuggee.host, debuggee.port, LC_ALL=locale, LANG=locale)
    assert (done.returncode, done.stderr) == (0, "")
    assert "<odd one \N{SNOWMAN}>\n" in done.stdout


def test_ten_clients_at_once(stuck: Debuggee) -> None:
    expected = without_reasons(
        stacks_of(stuck)
    )  # reasons name processes, unless the machine is busy
    argv = c_program("PYSTUCK_BIN", "--no-ipython", stuck.host or "", str(stuck.port))
    clients = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, env=clean_environment(), text=True)
        for _ in range(10)
    ]
    for client in clients:
        assert without_reasons(client.communicate(timeout=PATIENCE)[0]) == expected
        assert client.returncode == 0


def test_a_closed_output_pipe_is_not_reported(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=(MANY_THREADS, "ending.set()"))
    read_end, write_end = os.pipe()
    os.close(read_end)
    _, errors = errors_with_output(write_end, "--no-ipython", "127.0.0.1", debuggee.port)
    assert errors == ""


def test_output_that_cannot_be_written_is_an_error(stuck: Debuggee) -> None:
    status, errors = errors_with_output("/dev/full", "--no-ipython", "127.0.0.1", stuck.port)
    assert status == 1
    assert "No space left on device" in errors


# ---- Stock servers -------------------------------------------------------------------------------

STOCK = {"rpyc5": "PYSTUCK_RPYC5", "rpyc6": "PYSTUCK_RPYC6"}


@pytest.fixture(params=STOCK)
def start_stock(request: pytest.FixtureRequest) -> Iterator[Callable[..., Running]]:
    """Starts the stuck program with a stock server of each generation."""
    started: list[Debuggee] = []

    def start(what: str, *more: str, bound: bool = False) -> Debuggee:
        extra = {"RPYC_BIND_THREADS": "true"} if bound else {}
        environment = stock_environment(STOCK[request.param], *more, **extra)
        started.append(Debuggee(command("stock_server.py", what), environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def assert_shows_stock_program(printed: str) -> None:
    """Checks that both threads of stock_server.py are printed, and each block in the right
    format."""
    blocks = printed.split("\n\n")
    assert blocks.pop() == ""
    for block in blocks:
        assert re.fullmatch(rf"<[^\n]+>\n(?:{FRAME}|  \[[^\n]+\]\n)+", block + "\n"), block
    main = stuck_frame("stock_server.py", "<module>", "with lock:  # could block")
    worker = stuck_frame("stock_server.py", "work", "sys.stdin.readline()")
    assert any(re.fullmatch(MAIN_THREAD + main, block + "\n") for block in blocks)
    assert any(
        re.fullmatch(f"(?:{WORKER}|{OLD_WORKER})(?:{FRAME})*{worker}", block + "\n")
        for block in blocks
    )


@pytest.mark.parametrize("bound", [False, True], ids=["plain", "bound"])
@pytest.mark.parametrize("service", ["SlaveService", "ClassicService"])
def test_stacks_of_a_program_with_a_stock_server(
    start_stock: Callable[..., Debuggee], service: str, bound: bool
) -> None:
    assert_shows_stock_program(stacks_of(start_stock(service, bound=bound)))


@pytest.mark.parametrize("bound", [False, True], ids=["plain", "bound"])
def test_stacks_of_a_program_with_the_original_pystuck(
    start_stock: Callable[..., Debuggee], bound: bool
) -> None:
    assert_shows_stock_program(stacks_of(start_stock("original", "PYSTUCK_ORIGINAL", bound=bound)))


@pytest.mark.measures
def test_the_stacks_of_a_stock_server_come_soon(
    start_stock: Callable[..., Debuggee],
) -> None:
    debuggee = start_stock("SlaveService")
    stacks_of(debuggee)
    started = time.monotonic()
    stacks_of(debuggee)
    assert time.monotonic() - started < PATIENCE / 4


def test_a_server_that_exposes_nothing_is_an_error(
    start_stock: Callable[..., Debuggee],
) -> None:
    debuggee = start_stock("VoidService")
    done = pystuck("--no-ipython", debuggee.host, debuggee.port)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "not a classic (SlaveService) server" in done.stderr


# ---- Options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_describes_the_client_and_its_options(option: str) -> None:
    done = pystuck(option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: pystuck [-h] [--no-stacks] [--no-ipython] [TARGET")
    assert "debuggee" in done.stdout
    assert "import pystuck; pystuck.run_server()" in done.stdout
    lines = done.stdout.splitlines()
    for start, told in (
        ("TARGET", "host:port"),
        ("port or unix:PATH", "127.0.0.1:6666"),
        ("HOST PORT", "HOST:PORT"),
        ("-h, --help", ""),
        ("-c, --code CODE", "run"),
        ("--stacks", "stacks"),
        ("--no-stacks", "stacks"),
        ("--no-ipython", "prompt"),
        ("--host", ""),
        ("--port", ""),
        ("--unix-socket", "unix:PATH"),
        ("--pid PID", "process"),
        ("--list", "processes"),
        ("--version", "version"),
    ):
        assert any(
            line.strip().startswith(start) and told in line and len(line.split()) > 2
            for line in lines
        ), start
    assert max(map(len, lines)) <= 80


def test_the_help_and_the_man_page_have_the_same_options() -> None:
    page = (Path(__file__).parents[2] / "doc" / "pystuck.1").read_text()
    told = set()
    for line in re.findall(r"^\.It Fl (.*)", page, re.MULTILINE):
        for name in re.split(" , (?:Fl )?", line):
            option, _, argument = name.partition(" Ar ")
            told.add(f"-{option} {argument.upper()}".strip())
    shown = set()
    for line in pystuck("--help").stdout.partition("options:\n")[2].splitlines():
        names, argument = re.findall(r"^  ((?:-\w, )?--[\w-]+)( [A-Z]+)?  ", line)[0]
        shown |= {name + argument for name in names.split(", ")}
    assert shown == told
    synopsis = page.partition("SYNOPSIS")[2].partition(".Sh")[0]
    usage = pystuck("--help").stdout.partition("\n\n")[0]
    in_synopsis = {f"-{name}" for name in re.findall(r"Fl (\S+)", synopsis)}
    assert in_synopsis == set(re.findall(r"(?<![\w-])--?\w[\w-]*", usage))


def test_version_prints_the_version() -> None:
    done = pystuck("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"pystuck \d+\.\d+(\.\d+)?\S*\n", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["-x"],
        ["--port"],
        ["--port", "abc"],
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", ""],
        ["--port", "66 66"],
        ["127.0.0.1", "abc"],
        ["127.0.0.1", "6666", "superfluous"],
        ["--unix-socket"],
        ["--unix-socket", "/tmp/x", "127.0.0.1"],
        ["--unix-socket", "/tmp/x", "--port", "5"],
        ["--host", "127.0.0.1", "127.0.0.2"],
        ["--no-stacks=5"],
        ["--pid"],
        ["--pid", "abc"],
        ["--pid", "0"],
        ["--pid", "-5"],
        ["--pid", "5 "],
        ["--pid", "99999999999999999999"],
        ["--pid", "4294967297"],
        ["--pid", "1", "127.0.0.1"],
        ["--pid", "1", "--port", "5"],
        ["--pid", "1", "--unix-socket", "/tmp/x"],
        ["--list", "127.0.0.1"],
        ["--list", "--port", "5"],
        ["--list", "--unix-socket", "/tmp/x"],
        ["--list", "--pid", "1"],
        ["--list=5"],
    ],
    ids=" ".join,
)
def test_an_invalid_command_line_is_status_2_with_one_line(arguments: list[str]) -> None:
    done = pystuck(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("pystuck: ")


def test_no_stacks_leaves_out_the_stacks(stuck: Debuggee) -> None:
    done = pystuck("--no-stacks", "--no-ipython", stuck.host, stuck.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = pystuck("--no-stacks", stuck.host, stuck.port)
    assert done.returncode == 0
    assert "Thread" not in done.stdout


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Runs the client on a terminal. Returns its status and its output."""
    import pexpect

    argv = c_program("PYSTUCK_BIN", *arguments)
    text, status = pexpect.run(
        " ".join(argv), withexitstatus=True, env=clean_environment(), timeout=int(PATIENCE)
    )
    return status, text.decode().replace("\r\n", "\n")


def test_with_no_ipython_the_output_does_not_mention_a_prompt(stuck: Debuggee) -> None:
    status, text = on_a_terminal("--no-ipython", stuck.host, stuck.port)
    assert status == 0
    assert "MainThread" in text
    assert "In [0]" not in text


# ---- No server -----------------------------------------------------------------------------------


def assert_no_server(done: Done[str], told: str) -> None:
    """Checks that the client ends with status 2 and one line that contains `told`."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert told in line


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_no_server_is_status_2_with_a_hint(
    host: str, shown: str, ipv6: None, free_port: int
) -> None:
    told = f"nothing listens on {shown}:{free_port}: run pystuck --list"
    assert_no_server(pystuck(host, free_port), told)


def test_no_unix_socket_is_status_2_with_a_hint(socket_dir: Path) -> None:
    path = socket_dir / "missing"
    assert_no_server(
        pystuck("--unix-socket", path), f"there is no socket {path}: run pystuck --list"
    )


def test_a_unix_socket_of_a_dead_process_is_status_2(socket_dir: Path) -> None:
    path = socket_dir / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert_no_server(pystuck("--unix-socket", path), f"nothing listens on {path}: the program that")


def test_a_unix_socket_whose_name_is_too_long_is_an_error(socket_dir: Path) -> None:
    done = pystuck("--unix-socket", socket_dir / ("x" * 200))
    assert done.returncode == 2
    assert done.stderr.startswith("pystuck: ")


@pytest.fixture
def play_server() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Returns a function that starts a server with rawpeer.playing() and returns its port."""
    with contextlib.ExitStack() as stack:
        yield lambda function: stack.enter_context(playing(function))


def assert_is_no_pystuck(done: Done[str], port: int) -> None:
    """Checks that the client says, in one line, what is wrong with the server."""
    assert done.returncode == 1
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert first.startswith("pystuck: ")
    assert str(port) in first


@pytest.mark.parametrize("size", [0, 100], ids=["at once", "after a request"])
def test_a_server_that_closes_the_connection_is_an_error(
    play_server: Callable[..., int], size: int
) -> None:
    port = play_server(lambda sock: sock.recv(size))
    assert_is_no_pystuck(pystuck("127.0.0.1", port), port)


NONSENSE = {
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46",
    "zeros": bytes(1000),
    "a frame of zeros": b"\0\0\0\x20\0" + bytes(33),
    "a frame too long": b"\xff\xff\xff\xff\0",
    "bad zlib": b"\0\0\0\x05\x01hello\n",
    "bad brine": b"\0\0\0\x05\0\x02\x11\x50\xff\xff\n",
    "half a frame": b"\0\0\0\xff\0\x02\x11\x50",
    "an answer to nothing": b"\0\0\0\x06\0\x02\x11\x9f\x11\x51\x50\n",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_server_that_sends_nonsense_is_an_error(
    play_server: Callable[..., int], nonsense: bytes
) -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(nonsense)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(100):
            pass

    port = play_server(answer)
    assert_is_no_pystuck(pystuck("127.0.0.1", port), port)


def test_a_server_that_sends_nothing_is_an_error_after_ten_seconds(
    play_server: Callable[..., int],
) -> None:
    def listen(sock: socket.socket) -> None:
        while sock.recv(100):
            pass

    port = play_server(listen)
    started = time.monotonic()
    done = pystuck("127.0.0.1", port, timeout=10 + PATIENCE)
    assert time.monotonic() - started > 9
    assert_is_no_pystuck(done, port)
    assert "no answer in time" in done.stderr


def test_a_debuggee_of_another_user_is_told_to_be_one(
    play_server: Callable[..., int],
) -> None:
    # A user who is not admitted: the server closes the connection at once.
    port = play_server(lambda sock: None)
    done = pystuck("127.0.0.1", port)
    assert "user" in done.stderr
