# SPDX-License-Identifier: BSD-3-Clause
"""The place of rpyc_classic.py in rpyc's test_teleportation.py: `--mode=oneshot` with pystuck.

Prints what rpyc_classic.py prints, serves until the first client has left, and exits.
"""

import threading

import pystuck
import rpyc

left = threading.Event()


class Service(rpyc.SlaveService):
    """The classic service, which says when its client has left."""

    def on_disconnect(self, conn: rpyc.Connection) -> None:
        super().on_disconnect(conn)
        left.set()


server = pystuck.run_server("localhost", 0, service_class_getter=lambda: Service)
print("rpyc-oneshot", f"{server.host}\t{server.port}", sep="\n", flush=True)
left.wait()
