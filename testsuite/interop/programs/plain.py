"""A program with pystuck's server that ends normally after a line on stdin.

Arguments: the arguments of `run_server`, as JSON; code to execute before this line; and code to
execute after it.
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
