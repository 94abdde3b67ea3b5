# SPDX-License-Identifier: BSD-3-Clause
"""run_server with a service class of the program gives the same results as stock ThreadedServer."""

from __future__ import annotations

import json
import select
import struct
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rpyc
from harness import (
    PATIENCE,
    Debuggee,
    build_setting,
    command,
    debuggee_environment,
    python,
    stock_environment,
)
from rawpeer import Handler, box, raw_connect

#: Expressions of a client: they read, set and delete attributes of the root, of a plain object, and
#: of an object that defines its own access rules.
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
c.root.array(ArrayLike())
c.root.array([])
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

#: Prints the version in an exception of the service, and True if the client warns about it.
PRINT_VERSION = """
import sys, rpyc
c = rpyc.connect("127.0.0.1", int(sys.argv[1]))
try:
    c.root.fail()
except ValueError as error:
    print(error._remote_version, "WARNING" in str(error))
"""

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


def start(kind: str, setting: str, config: dict[str, Any], *service: str) -> Debuggee:
    """Starts service_server.py with a server of this kind; `setting` selects the stock rpyc."""
    env = stock_environment(setting)
    if kind == "ours":
        mine = debuggee_environment()
        env = mine | {"PYTHONPATH": mine["PYTHONPATH"] + ":" + env["PYTHONPATH"]}
    return Debuggee(command("service_server.py", kind, json.dumps(config), *service), env)


def shown(value: Any) -> Any:
    """Returns a result if it can be compared, else the name of its type."""
    if isinstance(value, (str, int, tuple, type(None))) and type(value).__module__ == "builtins":
        return value
    return type(value).__name__


class ArrayLike:
    """An object of the client with __array__, whose result tells if it is called on a copy."""

    def __array__(self, *args: Any) -> Any:
        return "here", args

    def __reduce__(self) -> Any:
        there = "__import__('types').SimpleNamespace(__array__=lambda *args: ('there', args))"
        return eval, (there,)


def outcome(c: Any, expression: str) -> Any:
    """Returns the result of an expression, or its exception without the traceback."""
    try:
        return shown(eval(expression, {"c": c, "rpyc": rpyc, "ArrayLike": ArrayLike}))
    except Exception as error:
        first = str(error.args[0]).splitlines()[0] if error.args else ""
        return type(error).__name__, first, "traceback denied" in str(error)


def connect(server: Debuggee) -> Any:
    """Connects with a SlaveService for the server, as stock's classic clients do."""
    return rpyc.connect("127.0.0.1", server.port, service=rpyc.SlaveService)


@pytest.fixture(params=["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"], ids=["rpyc5", "rpyc6"])
def start_both(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., tuple[Debuggee, Debuggee]]]:
    """Starts a stock server and a server of pystuck, with the same configuration and service."""
    started: list[Debuggee] = []
    build_setting(request.param)

    def start_with(config: dict[str, Any], *service: str) -> tuple[Debuggee, Debuggee]:
        started.append(start("stock", "PYSTUCK_RPYC" + rpyc.__version__[0], config, *service))
        started.append(start("ours", request.param, config, *service))
        return started[-2], started[-1]

    yield start_with
    for server in started:
        server.kill()


#: Services whose instances are false in a condition.
FALSE_SERVICES = ["EmptyService", "FalseService"]


@pytest.mark.parametrize(
    ("config", "service"),
    [*((config, ()) for config in CONFIGS.values()), *(({}, (name,)) for name in FALSE_SERVICES)],
    ids=[*CONFIGS, *FALSE_SERVICES],
)
@pytest.mark.rotates(4)
def test_a_service_gives_the_same_results_as_with_a_stock_server(
    start_both: Callable[..., tuple[Debuggee, Debuggee]],
    config: dict[str, Any],
    service: tuple[str, ...],
) -> None:
    stock, ours = start_both(config, *service)
    with connect(stock) as theirs, connect(ours) as mine:
        expected = {text: outcome(theirs, text) for text in EXPRESSIONS}
        found = {text: outcome(mine, text) for text in EXPRESSIONS}
    assert found == expected


def make(name: str, module: str) -> BaseException:
    """Returns an exception of a new class with this __name__ and this __module__."""
    return type(name, (Exception,), {"__module__": module})("text", 5)


#: Exceptions that a client raises when the service calls it. The service does not import wave.
RAISED: dict[str, BaseException] = {
    "builtin": ValueError("text", 5),
    "builtin, not derived from Exception": GeneratorExit("text"),
    "known": struct.error("text", 5),
    "of the program": make("Mine", "__main__"),
    "importable": make("Error", "wave"),
    "without its module": make("Error", "no.such.module"),
    "not in its module": make("Missing", "struct"),
    "not in builtins": make("Missing", "builtins"),
    "no exception": make("Struct", "struct"),
    "no exception of builtins": make("len", "builtins"),
}


@pytest.mark.parametrize("instantiate", [False, True])
@pytest.mark.parametrize("import_", [False, True])
@pytest.mark.rotates(4)
def test_exceptions_of_the_client_are_the_same_as_in_a_stock_server(
    start_both: Callable[..., tuple[Debuggee, Debuggee]], import_: bool, instantiate: bool
) -> None:
    def caught(server: Debuggee) -> dict[str, Any]:
        def catch(exception: BaseException) -> Any:
            def fail() -> None:
                raise exception

            return c.root.catch(fail)

        with connect(server) as c:
            return {name: catch(exception) for name, exception in RAISED.items()}

    config = {
        "import_custom_exceptions": import_,
        "instantiate_custom_exceptions": instantiate,
    }
    expected, found = map(caught, start_both(config))
    assert found == expected


def test_on_connect_and_on_disconnect_are_called_for_a_client(
    start_both: Callable[..., tuple[Debuggee, Debuggee]],
) -> None:
    for server in start_both({}):
        with connect(server) as c:
            assert c.root.greet("you") == "hello you"
            assert server.read_line() == "connected Connection"
        assert server.read_line() == "disconnected True True"


def test_each_client_has_its_own_instance_of_the_service(
    start_both: Callable[..., tuple[Debuggee, Debuggee]],
) -> None:
    for server in start_both({"allow_all_attrs": True}):
        with connect(server) as one, connect(server) as other:
            assert one.root != other.root
            assert one.root.greet("you") == other.root.greet("you")


CONNECTING = """
import json, sys, threading
import pystuck, rpyc

class Root(rpyc.Service):
    def on_connect(self, conn):
        print("on_connect", flush=True)
        how = sys.stdin.readline().strip()
        if how == "refuse":
            raise ValueError("not you")
        if how == "ask":
            self.told = conn.root.name()
            print("told", self.told, flush=True)

    def on_disconnect(self, conn):
        print("on_disconnect", flush=True)

    def exposed_answer(self):
        return 42

if sys.argv[1] == "stock":
    import logging
    from rpyc.utils.server import ThreadedServer

    logging.getLogger().addHandler(logging.NullHandler())
    server = ThreadedServer(Root, hostname="127.0.0.1", port=0, auto_register=False)
    threading.Thread(target=server.start, daemon=True).start()
    while not server.active:
        threading.Event().wait(0.001)
else:
    server = pystuck.run_server(port=0, service_class_getter=lambda: Root)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
threading.Event().wait(60)
"""


class Named(rpyc.Service):
    """The service of a client."""

    def exposed_name(self) -> str:
        return "a name"


def version_seen(kind: str, setting: str, config: dict[str, Any]) -> str:
    """Runs PRINT_VERSION with the rpyc of `setting` and a server of this kind."""
    server = start(kind, setting, config)
    try:
        return subprocess.run(
            [python(), "-c", PRINT_VERSION, str(server.port)],
            env=stock_environment(setting),
            stdout=subprocess.PIPE,
            text=True,
            timeout=6 * PATIENCE,
            check=True,
        ).stdout
    finally:
        server.kill()


@pytest.mark.parametrize("setting", ["PYSTUCK_RPYC4", "PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])
@pytest.mark.parametrize("config", [{}, {"include_local_version": False}], ids=["default", "no"])
@pytest.mark.rotates(3)
def test_no_client_warns_about_the_version_of_the_server(
    setting: str, config: dict[str, Any]
) -> None:
    assert version_seen("ours", setting, config) == "<version denied> False\n"


@pytest.mark.parametrize("kind", ["stock", "ours"])
@pytest.mark.parametrize("version", ["5.3.1", "6.0.2"])
def test_the_server_can_send_the_version_of_the_clients_protocol(kind: str, version: str) -> None:
    setting = f"PYSTUCK_RPYC{version[0]}"
    assert version_seen(kind, setting, {"include_local_version": True}) == f"{version} False\n"


@pytest.fixture(params=["stock", "ours"])
def connecting(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """Starts a service whose on_connect waits for a command on stdin."""
    mine = debuggee_environment()
    path = mine["PYTHONPATH"] + ":" + build_setting("PYSTUCK_RPYC" + rpyc.__version__[0])
    argv = [python(), "-c", CONNECTING, request.param]
    debuggee = Debuggee(argv, mine | {"PYTHONPATH": path})
    yield debuggee
    debuggee.kill()


def test_on_connect_is_called_for_a_client_that_sends_nothing(connecting: Debuggee) -> None:
    with raw_connect(connecting) as peer:
        assert connecting.read_line() == "on_connect"
        connecting.write("go on\n")
        peer.sock.close()
    assert connecting.read_line() == "on_disconnect"


def test_requests_wait_for_the_end_of_on_connect(connecting: Debuggee) -> None:
    with raw_connect(connecting) as peer:
        assert connecting.read_line() == "on_connect"
        peer.send(peer.request_frame(Handler.PING, box(("x",))))
        assert not select.select([peer.sock], [], [], 0.1)[0]
        connecting.write("go on\n")
        answer = peer.answer()
        assert answer is not None
        assert answer.args == (1, "x")


def test_on_connect_can_call_the_client(connecting: Debuggee) -> None:
    """The server does not know the client's envelope yet."""
    connecting.write("ask\n")
    c = rpyc.connect("127.0.0.1", connecting.port, service=Named)
    serving = rpyc.BgServingThread(c)
    assert c.root.answer() == 42
    assert connecting.read_line() == "on_connect"
    assert connecting.read_line() == "told a name"
    serving.stop()
    c.close()


def test_on_connect_can_refuse_the_client(connecting: Debuggee) -> None:
    with raw_connect(connecting) as peer:
        assert connecting.read_line() == "on_connect"
        connecting.write("refuse\n")
        assert peer.is_closed()
    assert connecting.read_line() == "on_disconnect"
