"""A program with a server of stock rpyc of any kind, and one more thread.

Arguments: the server's class, and its arguments as JSON; "ssl" in them are the arguments of
SSLAuthenticator. The server runs on the main thread, as in stock's scripts: ForkingServer and
GeventServer need this. The program prints the address of the server.
"""

import json
import logging
import sys
import threading

options = json.loads(sys.argv[2])
if sys.argv[1] == "GeventServer":
    from gevent import monkey

    monkey.patch_all()

from rpyc.core.service import SlaveService  # noqa: E402  gevent patches first
from rpyc.utils import server as servers  # noqa: E402
from rpyc.utils.authenticators import SSLAuthenticator  # noqa: E402


def wait_for_ever() -> None:
    threading.Event().wait()


logging.getLogger().addHandler(logging.NullHandler())
threading.Thread(target=wait_for_ever, daemon=True).start()
if ssl := options.pop("ssl", None):
    options["authenticator"] = SSLAuthenticator(**ssl)
server = getattr(servers, sys.argv[1])(
    SlaveService, hostname="127.0.0.1", port=0, auto_register=False, **options
)
server._listen()
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
server.start()
