# SPDX-License-Identifier: BSD-3-Clause
"""run_server with a service of one's own: it does what stock's ThreadedServer does with it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    build_setting,
    command,
    debuggee_environment,
    python,
    stock_environment,
)
from rawpeer import EXCEPTION, REPLY, REQUEST, Envelope, Handler, box, payload, raw_connect
from rpyc.core import brine

#: Tried on the root, a thing and a thing that guards itself: reading, setting, deleting.
EXPRESSIONS = """
c.root.greet('you')
c.root.exposed_greet('you')
c.root.hidden
c.root.get_service_name()
c.root.get_service_aliases()
c.root.on_connect
c.root.__class__.__name__
setattr(c.root, 'x', 1)
setattr(c.root, 'exposed_x', 1)
delattr(c.root, 'hidden')
c.root.fail()
c.root.call(lambda: 5)
c.root.call(lambda: 1 / 0)
c.root.client_eval('6 * 7')
c.root.thing().public
c.root.thing().shown
c.root.thing().exposed_shown
c.root.thing()._private
c.root.thing().method()
c.root.thing().exposed_method()
c.root.thing().nothing
c.root.thing().__dict__
len(c.root.thing())
c.root.thing()[21]
c.root.thing()()
setattr(c.root.thing(), 'public', 2)
setattr(c.root.thing(), 'exposed_new', 2)
delattr(c.root.thing(), 'public')
c.root.guarded().anything
c.root.guarded().no
type(rpyc.classic.obtain(c.root.thing())).__name__
'Thing' in repr(c.root.thing())
c.root.thing() == c.root.thing()
c.root.getmodule
c.root.eval
""".strip().splitlines()

CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "public": {"allow_public_attrs": True},
    "all": {"allow_all_attrs": True, "allow_setattr": True, "allow_delattr": True},
    "not-exposed": {"allow_exposed_attrs": False, "allow_public_attrs": True},
    "no-getattr": {"allow_getattr": False},
    "setattr": {"allow_setattr": True, "allow_delattr": True, "allow_public_attrs": True},
    "prefix": {"exposed_prefix": "_"},
    "pickle": {"allow_pickle": True, "allow_public_attrs": True},
    "no-traceback": {"include_local_traceback": False},
    "unsafe": {"allow_safe_attrs": False},
}


def start(kind: str, setting: str, config: dict[str, Any]) -> Debuggee:
    """The program with one of the two servers, and stock rpyc in any case."""
    env = stock_environment(setting)
    if kind == "ours":
        mine = debuggee_environment()
        env = mine | {"PYTHONPATH": mine["PYTHONPATH"] + ":" + env["PYTHONPATH"]}
    return Debuggee(command("service_server.py", kind, json.dumps(config)), env)


def shown(value: Any) -> Any:
    """What is to be compared of a result."""
    if isinstance(value, (str, int, tuple, type(None))) and type(value).__module__ == "builtins":
        return value
    return type(value).__name__


def outcome(c: Any, expression: str) -> Any:
    """The result of an expression, or the exception, without where it happened."""
    try:
        return shown(eval(expression, {"c": c, "rpyc": rpyc}))
    except Exception as error:
        first = str(error.args[0]).splitlines()[0] if error.args else ""
        return type(error).__name__, first, "traceback denied" in str(error)


def connect(server: Debuggee) -> Any:
    """Connects with a service of the client's own that has eval, as stock's classic clients do."""
    return rpyc.connect("127.0.0.1", server.port, service=rpyc.SlaveService)


@pytest.fixture(params=["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"], ids=["rpyc5", "rpyc6"])
def start_both(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[dict[str, Any]], tuple[Debuggee, Debuggee]]]:
    """Starts both servers with a configuration."""
    started: list[Debuggee] = []
    build_setting(request.param)

    def start_with(config: dict[str, Any]) -> tuple[Debuggee, Debuggee]:
        started.append(start("stock", "PYSTUCK_RPYC" + rpyc.__version__[0], config))
        started.append(start("ours", request.param, config))
        return started[-2], started[-1]

    yield start_with
    for server in started:
        server.kill()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_service_is_served_as_stock_does(
    start_both: Callable[..., tuple[Debuggee, Debuggee]], config: dict[str, Any]
) -> None:
    stock, ours = start_both(config)
    with connect(stock) as theirs, connect(ours) as mine:
        expected = {text: outcome(theirs, text) for text in EXPRESSIONS}
        found = {text: outcome(mine, text) for text in EXPRESSIONS}
    assert found == expected


def test_a_service_is_told_of_its_clients(
    start_both: Callable[..., tuple[Debuggee, Debuggee]],
) -> None:
    for server in start_both({}):
        with connect(server) as c:
            assert c.root.greet("you") == "hello you"
            assert server.read_line() == "connected Connection"
        assert server.read_line() == "disconnected True True"


def test_each_client_has_a_service_of_its_own(
    start_both: Callable[..., tuple[Debuggee, Debuggee]],
) -> None:
    for server in start_both({"allow_all_attrs": True}):
        with connect(server) as one, connect(server) as other:
            assert one.root != other.root
            assert one.root.greet("you") == other.root.greet("you")


SLOW = """
import json, sys, threading
import pystuck, rpyc

class Slow(rpyc.Service):
    def __init__(self):
        print("made", flush=True)
        sys.stdin.readline()

server = pystuck.run_server(port=0, service_class_getter=lambda: Slow)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
threading.Event().wait(60)
"""


def test_nothing_is_allowed_while_the_service_is_being_made() -> None:
    """Another thread of the client, with bind-threads, is served meanwhile."""
    mine = debuggee_environment()
    path = mine["PYTHONPATH"] + ":" + build_setting("PYSTUCK_RPYC6")
    debuggee = Debuggee([python(), "-c", SLOW], mine | {"PYTHONPATH": path})
    try:
        with raw_connect(debuggee) as peer:

            def ask(thread: int, seq: int, handler: Handler, *arguments: Any) -> None:
                args = brine.dump((handler.value, box(arguments)))
                message = payload(Envelope.RPYC6, REQUEST, brine.dump(seq), args)
                peer.send_frame(struct.pack("!QQ", thread, 0) + message)

            ask(1, 0, Handler.GETROOT)
            assert debuggee.read_line() == "made"
            ask(2, 1, Handler.GETATTR, "abc", "__class__")
            answer = peer.receive_frame()
            assert answer is not None
            assert answer[16] == EXCEPTION
            assert b"EOFError" in answer
            debuggee.write("\n")
            answer = peer.receive_frame()
            assert answer is not None
            assert answer[16] == REPLY
            ask(2, 2, Handler.GETATTR, "abc", "__class__")
            answer = peer.receive_frame()
            assert answer is not None
            assert b"cannot access" in answer
    finally:
        debuggee.kill()
