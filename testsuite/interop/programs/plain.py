"""A program with our server that runs to its end when there is a line on stdin.

Arguments: what `run_server` is called with, as JSON; and what to execute before that line, and
after it.
"""

import json
import sys

import pystuck

options = json.loads(sys.argv[1])
before, after = (*sys.argv[2:], "", "")[:2]

server = pystuck.run_server(**options)
where = {"host": server.host, "port": server.port, "unix_socket": server.unix_socket}
exec(before)
print(json.dumps(where), flush=True)
sys.stdin.readline()
exec(after)
print("went on", flush=True)
