"""A program that is nothing but a server of stock rpyc, of any kind, and a thread beside it.

Arguments: the server's class, and the arguments for it as JSON; "ssl" in them are those of
SSLAuthenticator. The server runs on the main thread, as stock's own scripts have it: forking and
gevent need that. The program prints where the server is.
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
