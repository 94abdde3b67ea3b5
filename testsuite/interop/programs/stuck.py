"""The stuck program of the README: the main thread waits for a lock that another thread holds.

Arguments: the arguments of `run_server`, as JSON; and optionally a user to become first. It prints
the address of its server, and continues after a line on stdin.
"""

import importlib.util  # noqa: F401
import json
import os
import sys
import threading
import traceback  # noqa: F401

import pystuck

lock = threading.RLock()
held = threading.Event()


def work() -> None:
    with lock:
        held.set()
        sys.stdin.readline()


def become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


options = json.loads(sys.argv[1])
if len(sys.argv) > 2:
    become(int(sys.argv[2]))

server = pystuck.run_server(**options)
where = {"host": server.host, "port": server.port, "unix_socket": server.unix_socket}

threading.Thread(target=work, daemon=True).start()
held.wait()
print(json.dumps(where), flush=True)

with lock:  # could block
    print("went on", flush=True)
