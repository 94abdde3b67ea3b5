"""A program whose main thread runs an asyncio loop, with pystuck's server or a server of stock
rpyc.

Argument: "" for pystuck's server, else the service for stock's. It prints the address, and
continues after a line on stdin.
"""

import asyncio
import json
import logging
import sys
import threading

served = sys.argv[1]
if not served:
    import pystuck

    port = pystuck.run_server(port=0).port
else:
    from rpyc.core import service
    from rpyc.utils.server import ThreadedServer

    logging.getLogger().addHandler(logging.NullHandler())
    server = ThreadedServer(
        getattr(service, served), hostname="127.0.0.1", port=0, auto_register=False
    )
    threading.Thread(target=server.start, daemon=True).start()
    while not server.active:
        threading.Event().wait(0.001)
    port = server.port


async def main() -> None:
    print(json.dumps({"host": "127.0.0.1", "port": port}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print("went on", flush=True)


asyncio.run(main())
