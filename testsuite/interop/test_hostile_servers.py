# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) with servers that lie: it ends, or returns to its prompt, and says why."""

from __future__ import annotations

import io
import os
import pty
import queue
import re
import ssl
import termios
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import figures
import pexpect
import pytest
from certificates import Files
from harness import PATIENCE, SANITIZED, wait_until
from hostile import (
    LEADS_TO,
    MIB,
    Done,
    Liar,
    Lie,
    Object,
    Server,
    flood,
    hang_up,
    hang_up_in_the_middle,
    in_brine,
    raw,
    read_nothing,
    reply,
    reset,
    run_client,
    say_nothing,
    slowly,
    value,
    vinegar,
    without_end,
)
from prompts import Prompt, reads_input
from rawpeer import (
    EXCEPTION,
    LOCAL_REF,
    REMOTE_REF,
    REPLY,
    TUPLE,
    VALUE,
    Envelope,
    Handler,
    Message,
    error_name,
    frame,
    payload,
    zlib_bomb,
)
from rpyc.core import brine
from test_authenticators import needs_tls
from test_ssl_client import libraries

#: The memory that the client may use if nothing long was sent. The sanitizers use more.
MODEST = (512 if SANITIZED else 24) * MIB

Lying = Callable[..., Server]


@pytest.fixture
def lying() -> Iterator[Lying]:
    """Starts servers: `lying(cell=lie)`."""
    with ExitStack() as stack:
        yield lambda **lies: stack.enter_context(Server(**lies))


def wrong_seq(liar: Liar, message: Message) -> None:
    for seq in (message.seq + 1, message.seq - 1, -1, 2**62, -(2**62)):
        liar.say(REPLY, seq, (VALUE, None))
    say_nothing(liar, message)


def answer_to_nothing(*kinds: int) -> bytes:
    """Sends answers to requests that the client did not make."""
    said = [payload(Envelope.RPYC6, kind, brine.dump(5000), b"\x11\x51\x50") for kind in kinds]
    return b"".join(map(frame, said))


VINEGAR = {
    "nothing": None,
    "a text": "KeyError",
    "no items": (),
    "numbers": (1, 2, 3, 4),
    "no class": ((), (), (), ""),
    "no names": (("", ""), (), (), ""),
    "numbers for names": ((1, 2), (), (), ""),
    "no arguments": (("builtins", "KeyError"), None, None, None),
    "a traceback that is none": (("builtins", "KeyError"), (), (), 5),
    "an id pack": (REMOTE_REF, ("a.b", 1, 2)),
    "a list of attributes": (("m", "E"), ("x",), ((1, 2), "y", None), "t"),
}

#: Data that is sent in place of any answer.
ANYWHERE: dict[str, Lie] = {
    "hangs up": hang_up,
    "hangs up in the middle": hang_up_in_the_middle,
    "resets": reset,
    "says nothing": say_nothing,
    "reads nothing": read_nothing,
    "says it slowly": slowly,
    "another seq": wrong_seq,
    "garbage": raw(b"\xfe" * 1000),
    "zeros": raw(bytes(1000)),
    "zeros without end": without_end(bytes(10000)),
    "http": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a frame too long": raw(b"\xff\xff\xff\xff\0\x02"),
    "bad zlib": raw(frame(b"hello", compressed=1)),
    "zlib that ends": raw(frame(zlib.compress(bytes(5000))[:-8], compressed=1)),
    "another compression": raw(frame(b"hello", compressed=2)),
    "an empty frame": raw(frame(b"")),
    "another kind": raw(frame(b"\x09\x11\x50\x50")),
    "the other envelope": raw(frame(b"\x12\x52\x50\x11\x51\x50")),
    "no box": reply(5),
    "a box without a label": reply((0, 0)),
    "a reference to what is not there": reply((3, ("builtins.function", 1, 2))),
    "a reference without a name": reply((4, (None, 1, 2))),
    "bad brine": in_brine(b"\xff\xff"),
    "a str that is no UTF-8": in_brine(b"\x11\x51\x08\x0b\xff\xfe"),
    "tuples in tuples": in_brine(b"\x11\x51" + b"\x10" * 100_000 + b"\x50"),
    "boxes in boxes": in_brine(b"\x11\x52\x10" * 100_000 + b"\x11\x51\x50"),
    "a tuple of too many": in_brine(b"\x11\x51\x15\xff\xff\xff\xff\x50"),
    "answers to nothing": without_end(answer_to_nothing(REPLY, EXCEPTION) * 100),
    **{f"as an exception, {what}": vinegar(args) for what, args in VINEGAR.items()},
}


def assert_told(done: Done, *, peak: int = MODEST) -> None:
    """Checks that the client ended as its manual says, with a sentence, and with little memory."""
    assert done.status == 1, done
    assert re.match(r"pystuck: .*\w.*\n", done.stderr), done.stderr
    assert len(done.stderr.splitlines()) < 5
    assert done.peak < peak


@pytest.mark.parametrize("stage", LEADS_TO)
@pytest.mark.parametrize("lie", ANYWHERE.values(), ids=ANYWHERE)
@pytest.mark.rotates(4)
def test_what_is_no_answer_is_told(lying: Lying, stage: str, lie: Lie) -> None:
    server = lying(**{stage: lie})
    figures.add("bad inputs")
    done = run_client("--timeout=0.3", *LEADS_TO[stage], *server.address)
    if stage == "stacks" and lie is ANYWHERE["as an exception, a list of attributes"]:
        assert "honest" in done.stdout  # the client then uses other requests than STACKS
        return
    assert_told(done)
    assert done.stdout == ""


# ---- Too much ------------------------------------------------------------------------------------


def netrefs(count: int) -> bytes:
    """Returns the box of a tuple of this many different objects."""
    head = b"\x11\x52\x15" + count.to_bytes(4, "big")
    each = b"\x11\x54\x12\x08\x0d\x61\x2e\x62\x63\x51\x16\x07%07d"
    return head + b"".join(each % i for i in range(count))


#: Data that is sent in place of an outcome; the limit permits the peak.
TOO_MUCH: dict[str, tuple[Callable[[], Lie], int]] = {
    "bytes that inflate": (lambda: raw(frame(zlib_bomb(1 << 30), compressed=1)), 320 * MIB),
    "numbers": (lambda: in_brine(b"\x11\x51\x15\x01\0\0\0" + b"\x50" * 2**24), 900 * MIB),
    "objects": (lambda: in_brine(netrefs(3 * MIB)), 900 * MIB),
    "tuples": (lambda: in_brine(b"\x11\x52\x15\x01\0\0\0" + b"\x11\x52\x02" * 2**24), 900 * MIB),
}  # fmt: skip


@pytest.mark.measures
@pytest.mark.parametrize("stage", ["stacks", "cell"])
@pytest.mark.parametrize(("make", "peak"), TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.rotates(4)
def test_too_much_is_refused(lying: Lying, stage: str, make: Callable[[], Lie], peak: int) -> None:
    server = lying(**{stage: make()})
    figures.add("bad inputs")
    done = run_client(*LEADS_TO[stage], *server.address, patience=3 * PATIENCE)
    assert done.status == 1
    assert "more items than max_items" in done.stderr or "bad brine" in done.stderr
    assert done.peak < (3 * peak if SANITIZED else peak)


@pytest.mark.measures
def test_a_hundred_megabytes_are_shown_if_one_wants_them(lying: Lying) -> None:
    server = lying(cell=value((True, "x" * 100 * MIB)))
    done = run_client("-c", "x", *server.address, patience=3 * PATIENCE)
    assert (done.status, done.stderr) == (0, "")
    assert len(done.stdout) == 100 * MIB + 1
    assert done.peak < (1024 if SANITIZED else 512) * MIB


@pytest.mark.measures
@pytest.mark.parametrize("kind", ["objects that were not requested", "our functions' attributes"])
@pytest.mark.rotates(2)
def test_a_flood_takes_no_memory(lying: Lying, kind: str) -> None:
    def lie(liar: Liar, message: Message) -> None:
        if kind == "our functions' attributes":
            root = liar.ask(liar.request_frame(Handler.GETROOT, (VALUE, ())))
            assert root is not None
            boxed = (TUPLE, ((LOCAL_REF, root.args[1]), (VALUE, "getmodule")))
            flood(liar, liar.request_frame(Handler.GETATTR, boxed, seq=1) * 1000)
        flood(liar, frame(payload(Envelope.RPYC6, REPLY, brine.dump(5000), netrefs(10_000))))

    figures.add("bad inputs")
    server = lying(cell=lie)
    done = run_client("--timeout=3", "-c", "x", *server.address)
    assert done.status == 1
    assert "no answer within 3 s" in done.stderr or "not read" in done.stderr, done
    assert done.peak < 2 * MODEST


# ---- The prompt ----------------------------------------------------------------------------------

#: The sequences that libedit and pystuck themselves send to a terminal.
OWN = re.compile(r"\x1b\[\?2004[hl]|\x1b\[[0-9;]*[CDGJKPHm@]|\x08|\r")

NASTY = "a\x1b[2J\x9b1m\x07\r\x7f\0\u202eb\u2066c\u200f\u2028d\x85"
SHOWN = "a\\x1b[2J\\x9b1m\\x07\\x0d\\x7f\\x00\\u202eb\\u2066c\\u200f\\u2028d\\x85"
HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Watched(Prompt):
    """A prompt that keeps everything that is sent to its terminal."""

    def __init__(self, server: Server, home: Path, *options: str) -> None:
        self.sent = io.StringIO()
        super().__init__([*options, *server.address], home)

    def expect(self, pattern: str) -> str:
        if self.child.logfile_read is None:  # before any output was read
            self.child.logfile_read = self.sent
        return super().expect(pattern)

    def leave(self) -> int:
        """Leaves the prompt. Checks what the terminal got, and that its modes are restored."""
        self.type("\x04")
        self.expect_end()
        assert termios.tcgetattr(self.child.child_fd) == fresh_modes()
        self.child.close()
        assert not HARMFUL.search(OWN.sub("", self.sent.getvalue()))
        return self.child.exitstatus

    def expect_end(self) -> None:
        try:
            self.child.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            pytest.fail(f"does not end: {self.child.before[-500:]!r}", pytrace=False)


def fresh_modes() -> list[Any]:
    """Returns the modes of a new terminal."""
    ends = pty.openpty()
    try:
        return termios.tcgetattr(ends[1])
    finally:
        for end in ends:
            os.close(end)


Start = Callable[..., Watched]


@pytest.fixture
def start(lying: Lying, tmp_path: Path) -> Iterator[Start]:
    """Starts a server with these lies, and a prompt that is connected to it. The test ends by
    leaving the prompt."""
    prompts: list[Watched] = []

    def start_it(*options: str, **lies: Lie) -> Watched:
        figures.add("bad inputs")
        prompts.append(Watched(lying(**lies), tmp_path, *options))
        return prompts[-1]

    try:
        yield start_it
        for prompt in prompts:
            assert prompt.leave() == 0
    finally:
        for prompt in prompts:
            prompt.child.close(force=True)


def honestly_but(then: Callable[[Liar], None]) -> Lie:
    """Sends the correct outcome of a cell, and then something more."""

    def lie(liar: Liar, message: Message) -> None:
        liar.give(message, (True, "'a value'"))
        then(liar)

    return lie


OUTCOMES: dict[str, Lie] = {
    "a value": value((True, NASTY)),
    "a failure": value((False, f"Traceback\n  {NASTY}\nError: {NASTY}\n")),
}


@pytest.mark.parametrize("lie", OUTCOMES.values(), ids=OUTCOMES)
def test_nothing_harmful_reaches_the_terminal(start: Start, lie: Lie) -> None:
    prompt = start(cell=lie)
    prompt.type("x\r")
    prompt.expect(re.escape(SHOWN))


def test_nothing_harmful_of_an_exception_reaches_the_terminal(start: Start) -> None:
    prompt = start(cell=vinegar((("builtins", NASTY), (NASTY,), (), NASTY)))
    prompt.type("x\r")
    prompt.expect("cannot run this cell: a.*" + re.escape("\\x9b1m"))


def test_nothing_harmful_that_is_printed_reaches_the_terminal(start: Start) -> None:
    def lie(liar: Liar, message: Message) -> None:
        liar.call(0, NASTY)
        liar.call(1, NASTY)
        liar.give(message, (True, None))

    prompt = start(cell=lie)
    assert prompt.cell("x") == f"{SHOWN}{SHOWN}\n"


@pytest.mark.parametrize("stage", ["complete", "inspect", "dir"])
def test_nothing_harmful_reaches_the_line(start: Start, stage: str) -> None:
    names = ("na" + NASTY, "name\u202e", "name\n", "name\t", "name" + "x" * 10_000, "name")
    answers = {
        "complete": (0, "na", NASTY, 6, names),
        "inspect": (False, True, NASTY),
        "dir": names,
    }
    prompt = start(*(["--no-exec"] if stage == "dir" else []), **{stage: value(answers[stage])})
    prompt.type("root.\t" if stage == "dir" else "x?\r" if stage == "inspect" else "n\t")
    if stage == "inspect":
        prompt.expect(re.escape(SHOWN))
    elif stage == "dir":
        prompt.expect("root.*name")
    prompt.type("\x03")
    prompt.expect(r"\^C")


def test_what_is_printed_before_there_is_a_prompt_is_shown(start: Start) -> None:
    def lie(liar: Liar, message: Message) -> None:
        liar.call(1, "early\n")
        liar.lies.clear()
        liar.answer_to(message)

    prompt = start(begin=lie)
    assert "early" in prompt.sent.getvalue()
    assert "'a value'" in prompt.cell("x")


COMPLETIONS = {
    "before the text": (-1, "name", "", 1, ("name",)),
    "far behind it": (2**62, "name", "", 1, ("name",)),
    "fewer than none": (0, "name", "", -1, ("name",)),
    "more than there are": (0, "", "", 2**63 - 1, ("name", "other")),
    "no numbers": ("0", "name", "", "1", ("name",)),
    "no names": (0, 1, 2, 3, (4, None, ())),
    "more than a number": (2**70, "name", "", 2**70, ("name",)),
    "nothing": (),
    "none": None,
    "an object": Object("names"),
}


@pytest.mark.parametrize("answer", COMPLETIONS.values(), ids=COMPLETIONS)
def test_completions_that_make_no_sense(start: Start, answer: Any) -> None:
    prompt = start(complete=value(answer))
    prompt.type("n\t")
    assert "'a value'" in prompt.cell("x")


@pytest.mark.parametrize("what", ["prints", "pings", "answers to nothing"])
def test_a_flood_at_the_prompt_does_not_keep_the_keys(start: Start, what: str) -> None:
    def lie(liar: Liar) -> None:
        data = {
            "prints": liar.call_frame(0, "noise\n"),
            "pings": liar.request_frame(Handler.PING, (TUPLE, ((VALUE, 1),)), seq=1),
            "answers to nothing": answer_to_nothing(REPLY),
        }[what]
        flood(liar, data * 100)

    prompt = start(cell=honestly_but(lie))
    prompt.cell("x")
    for line in "1", "2":
        prompt.type("%who is no cell\r")
        prompt.expect("%who takes no argument")
        assert line


@pytest.mark.parametrize("what", ["prints", "pings", "answers to nothing", "nothing"])
@pytest.mark.rotates(4)
def test_a_cell_is_given_up_in_a_flood(start: Start, what: str) -> None:
    def lie(liar: Liar, message: Message) -> None:
        begun = liar.call_frame(0, "begun\n")
        data = {
            "prints": liar.call_frame(0, "noise\n"),
            "pings": liar.request_frame(Handler.PING, (TUPLE, ((VALUE, 1),)), seq=1),
            "answers to nothing": answer_to_nothing(REPLY),
            "nothing": b"",
        }[what]
        liar.send(begun)
        if data:
            flood(liar, data * 100)
        say_nothing(liar, message)

    prompt = start(cell=lie)
    prompt.type("x\r")
    prompt.expect("begun")
    prompt.type("\x03")
    prompt.expect(r"could not interrupt In \[0\]")
    prompt.expect("connected again, with a new namespace")
    prompt.number = -1
    prompt.next()


def test_input_without_end_is_given_up(start: Start) -> None:
    def lie(liar: Liar, message: Message) -> None:
        while liar.call(2):
            pass

    prompt = start(cell=lie)
    prompt.type("x\r")
    for number in range(3):
        wait_until(lambda: reads_input(prompt), "the client's reading")
        prompt.type(f"{number}\r")
    for _ in range(2):
        wait_until(lambda: reads_input(prompt), "the client's reading")
        prompt.type("\x03")
        # The terminal prints ^C at once. The client prints the new line when it has got the signal.
        # Two signals at once would be one.
        prompt.expect(r"\^C\r\n")
    prompt.expect(r"could not interrupt In \[0\]")
    prompt.number = -1
    prompt.next()


def test_what_is_typed_at_the_prompt_is_not_read_by_the_server(start: Start) -> None:
    answers: queue.Queue[Message | None] = queue.Queue()
    prompt = start(cell=honestly_but(lambda liar: answers.put(liar.call(2))))
    prompt.cell("x")
    answer = answers.get(timeout=PATIENCE)
    assert answer is not None
    assert error_name(answer) == "OSError"
    assert "'a value'" in prompt.cell("secret")


def test_half_a_message_at_the_prompt_does_not_keep_the_keys(start: Start) -> None:
    prompt = start(cell=honestly_but(lambda liar: liar.send(b"\0\0\1\0\0\2\x11")))
    prompt.cell("x")
    prompt.type("%help\r")
    prompt.expect("%reconnect")


def test_calls_within_calls_end(start: Start) -> None:
    """Each answer of the client is followed by one more request."""

    def lie(liar: Liar, message: Message) -> None:
        for _ in range(1000):
            answer = liar.call(3, 1)
            assert answer is not None
            assert answer.kind == REPLY
        for _ in range(1000):
            liar.send(liar.call_frame(3, 1))
        liar.give(message, (True, "'at last'"))

    prompt = start(cell=lie)
    assert prompt.cell("x") == "Out[0]: 'at last'\n\n"


# ---- What is the client's own --------------------------------------------------------------------


def everything_asked(liar: Liar) -> Iterator[bytes]:
    """Sends requests for everything that a server has no right to get."""
    strange = [(REMOTE_REF, ("builtins.object", 1, 1)), (LOCAL_REF, ("builtins.object", 1, 1))]
    ours = [(LOCAL_REF, pack) for pack in liar.functions]
    names = ("__globals__", "__class__", "__dict__", "eval", "open", "environ", "_pystuck", "x\0y")
    for thing in [*ours, *strange, (VALUE, 1), (VALUE, "os")]:
        for name in names:
            text = (VALUE, name)
            yield liar.request_frame(Handler.GETATTR, (TUPLE, (thing, text)))
            yield liar.request_frame(Handler.DELATTR, (TUPLE, (thing, text)))
            yield liar.request_frame(Handler.SETATTR, (TUPLE, (thing, text, (VALUE, 1))))
            arguments = (thing, text, (VALUE, ("/etc/passwd",)), (VALUE, ()))
            yield liar.request_frame(Handler.CALLATTR, (TUPLE, arguments))
        for handler in Handler.PICKLE, Handler.BUFFITER, Handler.OLDSLICING, Handler.CTXEXIT:
            yield liar.request_frame(handler, (TUPLE, (thing, (VALUE, 1))))
        yield liar.request_frame(Handler.INSTANCECHECK, (TUPLE, (thing, thing)))
    for handler in (0, 21, 0x70, -1, 2**40):
        yield liar.request_frame(handler, (VALUE, ()))
    yield liar.request_frame(Handler.INSPECT, (VALUE, (("os", 0, 0),)))


def test_nothing_of_the_clients_can_be_reached(lying: Lying) -> None:
    answers: list[Message | None] = []

    def lie(liar: Liar, message: Message) -> None:
        answers.extend(map(liar.ask, everything_asked(liar)))
        liar.give(message, (True, None))

    done = run_client("-c", "x", *lying(cell=lie).address)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert len(answers) > 100
    figures.add("bad inputs", len(answers))
    for answer in answers:
        assert answer is not None
        assert answer.kind == EXCEPTION


def test_the_service_of_the_client_has_nothing_in_it(lying: Lying) -> None:
    """A symmetric server requests a few names: each exists, and does nothing."""
    answers: dict[str, Message | None] = {}

    def lie(liar: Liar, message: Message) -> None:
        root = liar.ask(liar.request_frame(Handler.GETROOT, (VALUE, ())))
        assert root is not None
        service = (LOCAL_REF, root.args[1])
        for name in ("eval", "execute", "namespace", "getmodule"):
            boxed = (TUPLE, (service, (VALUE, name)))
            answers[name] = liar.ask(liar.request_frame(Handler.GETATTR, boxed))
        boxed = (TUPLE, (service, (VALUE, "getmodule"), (VALUE, ("os",)), (VALUE, ())))
        answers["os"] = liar.ask(liar.request_frame(Handler.CALLATTR, boxed))
        liar.give(message, (True, None))

    done = run_client("-c", "x", *lying(cell=lie).address)
    assert (done.status, done.stderr) == (0, "")
    for name in ("eval", "execute", "namespace", "os"):
        answer = answers[name]
        assert answer is not None
        assert answer.args == (VALUE, None)


def test_standard_input_is_read_for_cells_alone(lying: Lying) -> None:
    """Standard input is for the cell, not for a server that starts one."""
    answers: list[Message | None] = []

    def lie(liar: Liar, message: Message) -> None:
        answers.append(liar.call(2))
        hang_up(liar, message)

    done = run_client("-c", "x", *lying(begin=lie).address, stdin=b"secret\n")
    assert done.status == 1
    (answer,) = answers
    assert answer is not None
    assert error_name(answer) == "OSError"


def test_functions_of_a_session_that_did_not_begin_do_nothing(lying: Lying) -> None:
    """Chains work without cells; the server still has the functions of the cells that did not
    start."""
    answers: list[Message | None] = []

    def refuse(liar: Liar, message: Message) -> None:
        liar.fail(message, "TypeError", "no cells here")

    def call_all(liar: Liar, message: Message) -> None:
        if not answers:
            answers.extend(liar.call(i, text) for i, text in enumerate(("out", "err", "line", 1)))
        liar.give(message, ("name",))

    done = run_client("-c", "dir(root)", *lying(begin=refuse, getattr=call_all).address)
    assert "out" not in done.stdout
    assert len(answers) == 4
    for answer in answers:
        assert answer is not None
        assert error_name(answer) == "EOFError"


# ---- TLS -----------------------------------------------------------------------------------------


def goodbye(sock: ssl.SSLSocket) -> None:
    sock.unwrap()


def plain_text(sock: ssl.SSLSocket) -> None:
    os.write(sock.fileno(), frame(b"\2\x11\x50\x11\x51\x50"))


def broken_record(sock: ssl.SSLSocket) -> None:
    os.write(sock.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))


def half_a_record(sock: ssl.SSLSocket) -> None:
    os.write(sock.fileno(), b"\x17\x03\x03\x40\x00" + bytes(32))


def renegotiation(sock: ssl.SSLSocket) -> None:
    """A HelloRequest that is not encrypted."""
    os.write(sock.fileno(), b"\x16\x03\x03\x00\x04\x00\x00\x00\x00")


def garbage(sock: ssl.SSLSocket) -> None:
    sock.sendall(b"\xff" * 10_000)


IN_TLS = [goodbye, plain_text, broken_record, half_a_record, renegotiation, garbage]


@needs_tls
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
@pytest.mark.parametrize("lie", IN_TLS, ids=lambda lie: lie.__name__)
def test_what_is_no_answer_over_tls_is_told(
    files: Files, lie: Callable[[ssl.SSLSocket], None], version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(files.server_cert, files.server_key)

    class Sealed(Liar):
        def serve(self) -> None:
            self.sock = context.wrap_socket(self.sock, server_side=True)
            self.sock.recv(100)
            lie(self.sock)
            while self.sock.recv(100):
                pass

    figures.add("bad inputs")
    with Server(Sealed) as server:
        options = ["--timeout=0.3", f"--ssl-ca={files.ca}"]
        assert_told(run_client(*options, *server.address, **libraries()))
