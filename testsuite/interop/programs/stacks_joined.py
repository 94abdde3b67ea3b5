"""Runs code in a subinterpreter on a thread that also has frames in the main one, and reads its
stack. Another subinterpreter runs no code.

Prints a JSON object: `ident`, the id of the thread; `threads`, how many threads were read, and
`functions`, those of each thread by its id; `exact`, whether the stack of the thread is called
exact; `is_sure`, whether this version of Python tells that the thread runs that code; `held`, the
lines at which the thread has entered the locks that it holds.
"""

import json
import os
import sys
import threading
import time

import stackreader_module

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

DEADLINE = float(os.environ.get("DEADLINE", "60"))  # seconds
RUN = getattr(interpreters, "run_string", None) or interpreters.exec

CODE = """
import _thread, os
lock = _thread.RLock()
def inner():
    with lock:
        os.read({}, 1)
inner()
"""


def work():
    which = interpreters.create()
    RUN(which, CODE.format(end))
    interpreters.destroy(which)


def read():
    threads, _, _, _ = stackreader_module.read()
    return threads


def functions(thread):
    return [frame[2] for frame in thread["frames"]]


end, ends = os.pipe()
idle = interpreters.create()
worker = threading.Thread(target=work)
worker.start()
wanted = f"thread:{worker.ident}"
give_up = time.monotonic() + DEADLINE
while True:
    threads = read()
    (found, *_) = [each for each in threads if each["id"] == wanted]
    if functions(found)[-1:] == ["inner"] or time.monotonic() > give_up:
        break
    time.sleep(0.01)
print(
    json.dumps(
        {
            "ident": wanted,
            "threads": len(threads),
            "functions": {each["id"]: functions(each) for each in threads},
            "exact": found["exact"],
            "is_sure": sys.version_info >= (3, 13),
            "held": [line for _, _, _, line in found["holds"] or []],
        }
    ),
    flush=True,
)
os.write(ends, b"x")
worker.join()
interpreters.destroy(idle)
