"""A program with several servers that executes the code it reads.

Arguments, as JSON: a list with the arguments of run_server for each server, and code to run before
they are started. It prints the addresses of the servers; the messages of their loggers go to
stderr. It executes each line of stdin, which is code as JSON, and prints the exception or null. It
ends at the end of stdin.
"""

import json
import logging
import os  # noqa: F401  for the code
import sys
import threading

import pystuck
import rights  # noqa: F401  for the code

listens, before = (json.loads(argument) for argument in sys.argv[1:])
logger = logging.getLogger("mine")
logger.addHandler(logging.StreamHandler())


def start_thread(function, *arguments):
    """Calls a function on a new thread, which then lives as long as the program."""
    called = threading.Event()

    def run():
        function(*arguments)
        called.set()
        threading.Event().wait()

    threading.Thread(target=run, daemon=True).start()
    called.wait()


exec(before)
servers = [pystuck.run_server(**options, logger=logger) for options in listens]
places = [{"host": s.host, "port": s.port, "unix_socket": s.unix_socket} for s in servers]
print(json.dumps({"places": places}), flush=True)
for line in sys.stdin:
    try:
        exec(json.loads(line))
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    else:
        answer = None
    print(json.dumps(answer), flush=True)
print("went on", flush=True)
