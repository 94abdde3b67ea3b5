# SPDX-License-Identifier: BSD-3-Clause
"""Takes the place of rpyc_classic.py in rpyc's own tests, see rpyc_suite.py.

With --mode=oneshot it prints what rpyc_classic.py prints, serves the classic service with pystuck
until the first client has disconnected, and exits. With other modes it runs rpyc_classic.py.
"""

import runpy
import sys
import threading
from pathlib import Path

import rpyc


def serve_once() -> None:
    """Serves one client."""
    import pystuck

    left = threading.Event()

    class Service(rpyc.SlaveService):
        def on_disconnect(self, conn: rpyc.Connection) -> None:
            super().on_disconnect(conn)
            left.set()

    server = pystuck.run_server("localhost", 0, service_class_getter=lambda: Service)
    print("rpyc-oneshot", f"{server.host}\t{server.port}", sep="\n", flush=True)
    left.wait()


if "--mode=oneshot" in sys.argv:
    serve_once()
else:
    runpy.run_path(str(Path(__file__).with_name("stock_classic.py")), run_name="__main__")
