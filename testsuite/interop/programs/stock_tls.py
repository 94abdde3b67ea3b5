"""A program with a server of stock rpyc over TLS.

Argument, as JSON: the arguments of SSLAuthenticator, or null: without TLS. It prints the address of
its server, and ends after a line on stdin.
"""

import json
import logging
import sys
import threading

from rpyc.core.service import SlaveService
from rpyc.utils.authenticators import SSLAuthenticator
from rpyc.utils.server import ThreadedServer

wanted = json.loads(sys.argv[1])
logging.getLogger().addHandler(logging.NullHandler())
server = ThreadedServer(
    SlaveService,
    hostname="127.0.0.1",
    port=0,
    auto_register=False,
    authenticator=SSLAuthenticator(**wanted) if wanted else None,
)
threading.Thread(target=server.start, daemon=True, name="server").start()
while not server.active:
    threading.Event().wait(0.001)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
print("went on", flush=True)
