"""A program with our server and a logger, which prints what it hears from warnings on.

Arguments: what `run_server` is called with, as JSON; and optionally, as JSON: `user`, to become
before that, and `umask`. It prints where its server is, or what run_server raised, and ends once
there is a line on stdin.
"""

import json
import logging
import os
import sys

import pystuck

options = json.loads(sys.argv[1])
more = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}


class Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(record.levelname, record.getMessage(), flush=True)


logger = logging.getLogger("mine")
logger.setLevel(logging.WARNING)
logger.addHandler(Lines())
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
