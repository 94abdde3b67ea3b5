# SPDX-License-Identifier: BSD-3-Clause
"""CTXEXIT with an exception: clients that do not tell the exception, or disconnect.

For the answers of stock clients see server_object_cases.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import rpyc
from harness import Debuggee, build_setting, command, debuggee_environment, wait_until
from rawpeer import REMOTE_REF, REPLY, REQUEST, TUPLE, VALUE, Handler, RawPeer, box, raw_connect

Connect = Callable[[Debuggee], Any]

MANAGER = """
import sys
class Manager:
    def __exit__(self, cls, value, tb):
        sys.seen = cls.__name__, value.args
        return True
"""

ERROR = REMOTE_REF, ("builtins.ValueError", 75, 0)


def send_exit(peer: RawPeer) -> None:
    """Leaves a context manager of the debuggee with an exception."""
    peer.value(Handler.CALLATTR, peer.root(), "execute", (MANAGER,))
    manager = peer.eval("Manager()")
    peer.send(peer.request_frame(Handler.CTXEXIT, (TUPLE, (box(manager), ERROR))))
    peer.answer_inspect()


def ask(peer: RawPeer) -> Any:
    """Returns the debuggee's request for the root of the client."""
    message = peer.receive()
    assert message is not None
    assert (message.kind, message.args[0]) == (REQUEST, Handler.GETROOT)
    return message


def test_a_client_that_refuses_gets_the_class_alone(ours: Debuggee) -> None:
    with raw_connect(ours) as peer:
        send_exit(peer)
        answer = peer.answer()  # rejects the server's requests before the answer
        assert answer is not None
        assert (answer.kind, answer.args) == (REPLY, (VALUE, True))
        assert peer.eval("sys.seen") == ("ValueError", ())


@pytest.mark.parametrize("root", [None, 5, "text", ()])
def test_a_client_with_another_root_gets_the_class_alone(ours: Debuggee, root: Any) -> None:
    with raw_connect(ours) as peer:
        send_exit(peer)
        peer.reply(ask(peer), root)
        answer = peer.answer()
        assert answer is not None
        assert (answer.kind, answer.args) == (REPLY, (VALUE, True))
        assert peer.eval("sys.seen") == ("ValueError", ())


def test_a_client_that_does_not_say_gets_the_class_alone(ours: Debuggee) -> None:
    with raw_connect(ours) as peer:
        send_exit(peer)
        ask(peer)
        answer = peer.receive()
        assert answer is not None
        assert (answer.kind, answer.args) == (REPLY, (VALUE, True))
        assert peer.eval("sys.seen") == ("ValueError", ())


class Odd(Exception):
    """An exception with an attribute and a property that a stock client cannot send."""

    def __init__(self) -> None:
        self.text = "a\ud800"

    @property
    def missing(self) -> Any:
        raise AttributeError("\udcff")


HUGE = 10**5000
#: Exceptions; and for each an attribute, and its value in the server.
UNSENDABLE = [
    (ValueError("x\udcff"), "args", ("x\\udcff",)),
    (KeyError(("a", frozenset({"\udcff"})), 3), "args", (("a", frozenset({"\\udcff"})), 3)),
    (OverflowError(-HUGE, 5), "args", (hex(-HUGE), 5)),
    (FileNotFoundError(2, "n", "f\ud800"), "filename", "f\\ud800"),
    (Odd(), "text", "a\\ud800"),
]


@pytest.mark.parametrize(
    ("error", "name", "arrives"), UNSENDABLE, ids=[type(each[0]).__name__ for each in UNSENDABLE]
)
def test_what_a_stock_client_cannot_send_arrives_as_escapes(
    ours: Debuggee, connect: Connect, error: Exception, name: str, arrives: Any
) -> None:
    """If the server asked for it as it is, another exception would leave the `with` statement."""
    client = connect(ours)
    client.execute(
        "class Manager:\n"
        "    def __enter__(self): pass\n"
        "    def __exit__(self, cls, value, tb):\n"
        "        global seen\n"
        f"        seen = value.{name}\n"
        "        return True\n"
    )
    with client.namespace["Manager"]():
        raise error
    assert client.namespace["seen"] == arrives


def test_a_client_that_hangs_up_instead_has_its_manager_left(
    ours: Debuggee, connect: Connect
) -> None:
    watcher = connect(ours)
    watcher.execute("import sys; sys.seen = None")
    before = ours.holdings()
    with raw_connect(ours) as peer:
        send_exit(peer)
        ask(peer)
    wait_until(lambda: watcher.eval("sys.seen") == ("ValueError", ()), "the manager to be left")
    ours.wait_until_back_to(before)


def test_other_services_ask_nothing_and_import_nothing() -> None:
    mine = debuggee_environment()
    path = ":".join([mine["PYTHONPATH"], build_setting("PYSTUCK_RPYC6")])
    server = Debuggee(command("service_server.py", "ours", "{}"), mine | {"PYTHONPATH": path})
    asked = []

    class Watching(rpyc.SlaveService):
        def getmodule(self, name: str) -> Any:
            asked.append(name)
            return super().getmodule(name)

    try:
        for error, expected in [
            (ValueError("x"), ["ValueError", []]),
            (json.JSONDecodeError("x", "y", 1), ["JSONDecodeError", []]),
            (__import__("wave").Error("x"), ["Exception", []]),
        ]:
            with rpyc.connect("127.0.0.1", server.port, service=Watching) as client:
                manager = client.root.manager()
                with pytest.raises(type(error)), manager:
                    raise error
                assert json.loads(client.root.seen()) == expected
        assert asked == []
        server.write("go on\n")
        assert server.wait() == 0
    finally:
        server.kill()
