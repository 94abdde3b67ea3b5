"""A program that runs code with pystuck's server in a subinterpreter.

Argument: how the subinterpreter runs. "module": by Python's module for interpreters, line by line
from stdin; each line is answered with "done" or the failure. "end": by Py_NewInterpreter, which
ends it after a line on stdin.
"""

import os
import sys

CODE = f"""
import sys
sys.path[:0] = {sys.path!r}
import json
import os
import pystuck

mine = "the subinterpreter's"
handle = pystuck.run_server(port=0)
os.write(1, json.dumps({{"host": handle.host, "port": handle.port}}).encode() + b"\\n")
"""


def run_by_module() -> None:
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    which = interpreters.create()
    run(which, CODE)
    for line in sys.stdin:
        if line == "end\n":
            break
        try:
            failure = run(which, line)
        except Exception as error:
            failure = error
        print("done" if failure is None else failure, flush=True)
    interpreters.destroy(which)


def run_to_its_end() -> None:
    import _testcapi

    _testcapi.run_in_subinterp(CODE + "os.read(0, 1000)\n")


mine = "the main interpreter's"
run_by_module() if sys.argv[1] == "module" else run_to_its_end()
print("ended", flush=True)
os.read(0, 1000)
print("went on", flush=True)
