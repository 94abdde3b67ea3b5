"""A program that serves one rpyc.Service and stops at one moment until it may continue.

Arguments: "stock" or "ours"; as JSON: `moment`: where to stop; `raises`: where to raise; `forks`:
where to fork; `instance`: whether the service is an instance. The main thread reads commands: "go"
ends the stop, "close" closes the server, "fork" forks and prints the child's status, "tell" prints
the events and the number of live objects that were made for clients.
"""

import contextlib
import gc
import json
import logging
import os
import sys
import threading
import weakref

import rpyc
from rpyc.utils.server import ThreadedServer

wanted = json.loads(sys.argv[2])
events: list[str] = []
alive: weakref.WeakSet = weakref.WeakSet()
going = threading.Event()


def say(text: str) -> None:
    """Prints without sys.stdout, whose lock a forked child would inherit."""
    os.write(1, text.encode() + b"\n")


@contextlib.contextmanager
def moment(name: str) -> None:
    events.append(name)
    if wanted.get("moment") == name:
        say(name)
        going.wait()
    if wanted.get("forks") == name:
        pid = os.fork()
        if pid:
            events.append(f"child {os.waitpid(pid, 0)[1]}")
    if wanted.get("raises") == name:
        raise ValueError(name)
    yield
    events.append(name + " ends")


class Credentials:
    """The result of the authenticator."""


class TheService(rpyc.Service):
    """Prints its events."""

    def __init__(self) -> None:
        with moment("__init__"):
            alive.add(self)

    def on_connect(self, conn: rpyc.Connection) -> None:
        self.conn = conn
        alive.add(conn)
        alive.add(conn._config["credentials"])
        with moment("on_connect"):
            if wanted.get("moment") == "a question in on_connect":
                say(wanted["moment"])
                with contextlib.suppress(EOFError):
                    conn.root  # noqa: B018

    def on_disconnect(self, conn: rpyc.Connection) -> None:
        with moment("on_disconnect"):
            assert conn is self.conn

    def exposed_work(self) -> None:
        with moment("request"):
            pass

    def exposed_call(self, function: object) -> None:
        with moment("nested request"):
            function()


def authenticate(sock: object) -> tuple[object, Credentials]:
    credentials = Credentials()
    alive.add(credentials)
    with moment("authenticator"):
        return sock, credentials


service = TheService() if wanted.get("instance") else TheService
logging.getLogger().addHandler(logging.NullHandler())
if sys.argv[1] == "stock":
    options = {"hostname": "127.0.0.1", "port": 0, "auto_register": False}
    server = ThreadedServer(service, authenticator=authenticate, **options)
    threading.Thread(target=server.start, daemon=True).start()
    while not server.active:
        threading.Event().wait(0.001)
else:
    import pystuck

    server = pystuck.run_server(
        port=0,
        service_class_getter=lambda: service,
        authenticator=authenticate,
        **wanted.get("run", {}),
    )
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
for line in sys.stdin:
    what = line.strip()
    if what == "go":
        going.set()
    elif what == "close":
        server.close()
    elif what == "fork":
        child = os.fork()
        if child == 0:
            break
        print(os.waitpid(child, 0)[1], flush=True)
    else:
        gc.collect()
        print(json.dumps([events, len(alive)]), flush=True)
