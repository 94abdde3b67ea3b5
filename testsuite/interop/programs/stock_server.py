"""The stuck program of the README with a server of stock rpyc, or with the original pystuck.

Argument: what to serve. It prints the address, and continues after a line on stdin.
"""

import json
import logging
import sys
import threading

from rpyc.core import service
from rpyc.utils.server import ThreadedServer

lock = threading.RLock()
held = threading.Event()


def work() -> None:
    with lock:
        held.set()
        sys.stdin.readline()


def serve_stock(service_class: type) -> int:
    """Serves as rpyc_classic.py does, on a thread."""
    logging.getLogger().addHandler(logging.NullHandler())
    server = ThreadedServer(service_class, hostname="127.0.0.1", port=0, auto_register=False)
    threading.Thread(target=server.start, daemon=True, name="server").start()
    while not server.active:
        threading.Event().wait(0.001)
    return server.port


def serve_original() -> int:
    """Serves as the original pystuck does, which does not tell its port."""
    import pystuck
    import rpyc.utils.server

    servers = []

    class Server(ThreadedServer):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            servers.append(self)

    rpyc.utils.server.ThreadedServer = Server
    pystuck.run_server(port=0)
    while not servers[0].active:
        threading.Event().wait(0.001)
    return servers[0].port


def serve(what: str) -> int:
    """Starts the requested server, and returns its port."""
    if what == "original":
        return serve_original()
    return serve_stock(getattr(service, what))


port = serve(sys.argv[1])
threading.Thread(target=work, daemon=True).start()
held.wait()
print(json.dumps({"host": "127.0.0.1", "port": port}), flush=True)

with lock:  # could block
    print("went on", flush=True)
