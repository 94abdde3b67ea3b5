"""A program with pystuck's server and a logger. It prints the logger's messages from warnings on.

Arguments: the arguments of `run_server`, as JSON; and optionally, as JSON: `user`, to become this
user first, and `umask`. It prints the address of its server, or the exception of run_server, and
ends after a line on stdin.
"""

import json
import os
import sys

import pystuck
from printed_log import logger

options = json.loads(sys.argv[1])
more = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}

if "user" in more:
    os.setgroups([])
    os.setresgid(more["user"], more["user"], more["user"])
    os.setresuid(more["user"], more["user"], more["user"])
os.umask(more.get("umask", 0o022))

try:
    server = pystuck.run_server(**options, logger=logger)
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
else:
    where = {"host": server.host, "port": server.port, "unix_socket": server.unix_socket}
    print(json.dumps(where), flush=True)
sys.stdin.readline()
print("went on", flush=True)
