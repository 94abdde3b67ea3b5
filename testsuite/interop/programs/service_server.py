"""A program that serves one rpyc.Service, with stock's ThreadedServer or with pystuck's run_server.

Arguments: "stock" or "ours"; a protocol_config as JSON; and the service, if not TheService. It
prints the events of the service.
"""

import json
import logging
import struct
import sys
import threading

import rpyc
from rpyc.utils.server import ThreadedServer


class Thing:
    """An object for clients."""

    public = 1
    exposed_shown = 2
    _private = 3

    def method(self) -> str:
        return "method"

    def exposed_method(self) -> str:
        return "exposed method"

    def __len__(self) -> int:
        return 4

    def __getitem__(self, key: int) -> int:
        return key * 2

    def __call__(self) -> str:
        return "called"


class Manager:
    """A context manager that records the exceptions that it gets."""

    seen: list = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, cls: type, value: BaseException, traceback: object) -> None:
        self.seen[:] = cls.__name__, value.args


class Mine(Exception):
    """An exception class that the client has, too."""


class Guarded:
    """An object that decides itself about access to its attributes."""

    def _rpyc_getattr(self, name: str) -> object:
        if name == "no":
            raise AttributeError("guarded")
        return "got " + name


class TheService(rpyc.Service):
    """Greets, and gives objects to clients."""

    ALIASES = ("the",)
    hidden = 5

    def on_connect(self, conn: rpyc.Connection) -> None:
        self.conn = conn
        print("connected", type(conn).__name__, flush=True)

    def on_disconnect(self, conn: rpyc.Connection) -> None:
        print("disconnected", conn is self.conn, conn.closed, flush=True)

    def exposed_greet(self, name: str) -> str:
        return "hello " + name

    def exposed_thing(self) -> Thing:
        return Thing()

    def exposed_guarded(self) -> Guarded:
        return Guarded()

    exposed_globals = staticmethod(globals)
    exposed_manager = Manager

    def exposed_seen(self) -> str:
        return json.dumps(Manager.seen)

    def exposed_fail(self) -> None:
        raise ValueError("wrong", 7)

    def exposed_call(self, function: object) -> object:
        return function()

    def exposed_array(self, thing: object) -> object:
        return thing.__array__(5)

    def exposed_catch(self, function: object) -> object:
        try:
            function()
        except BaseException as error:
            name, first = type(error).__name__.split(".")[-1], str(error).split("\n")[0]
            known = [ValueError, struct.error, Mine]
            if "wave" in sys.modules:
                known.append(sys.modules["wave"].Error)
            return name, *(isinstance(error, one) for one in known), error.args, first

    def exposed_client_eval(self, text: str) -> object:
        return self.conn.root.eval(text)


class EmptyService(TheService):
    """A service with a length of 0."""

    def __len__(self) -> int:
        return 0


class FalseService(TheService):
    """A service that is false."""

    def __bool__(self) -> bool:
        return False


class ModestService(TheService):
    """A service that gives its modules, and runs no code."""

    def exposed_getmodule(self, name: str) -> object:
        return __import__(name, None, None, "*")


config = json.loads(sys.argv[2])
service = globals()[sys.argv[3]] if len(sys.argv) > 3 else TheService
logging.getLogger().addHandler(logging.NullHandler())
if sys.argv[1] == "stock":
    server = ThreadedServer(
        service, hostname="127.0.0.1", port=0, auto_register=False, protocol_config=config
    )
    threading.Thread(target=server.start, daemon=True).start()
    while not server.active:
        threading.Event().wait(0.001)
else:
    import pystuck

    server = pystuck.run_server(
        port=0, service_class_getter=lambda: service, protocol_config=config
    )
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
