"""A program without pystuck, whose stacks are read from outside.

Prints a JSON object with what Python knows of its threads, by ident, when all of them wait. Then it
waits for a line on standard input.
"""

import json
import sys
import threading
import time

done = threading.Event()


def wait(*_):
    done.wait()


def recurse(depth):
    if depth > 0:
        recurse(depth - 1)
    else:
        wait()


def generate():
    wait()
    yield 1


class Subclass(threading.Thread):
    def run(self):
        sorted([1], key=lambda _: next(generate()))


def sendable(text):
    return text.encode("utf-8", "backslashreplace").decode()


def calls(frame):
    found = []
    while frame is not None:
        code = frame.f_code
        qualname = getattr(code, "co_qualname", None)
        found.append([sendable(code.co_filename), frame.f_lineno, code.co_name, qualname])
        frame = frame.f_back
    return found[::-1]


def expected(thread, frame):
    return {
        "name": thread.name,
        "native_id": thread.native_id,
        "repr": repr(thread),
        "daemon": thread.daemon,
        "main": False,
        "exact": True,
        "interpreter": 0,
        "frames": calls(frame),
    }


def are_waiting(threads):
    frames = sys._current_frames()
    innermost = [frames[each.ident].f_code.co_name for each in threads if each.ident in frames]
    return len(innermost) == len(threads) and set(innermost) == {"wait"}


def main():
    code = compile("\n\nif True:\n\n    wait()\n", "made\udcff up.py", "exec")
    threads = [
        threading.Thread(target=wait, name="plain"),
        threading.Thread(target=recurse, args=(300,), name="d\xe9ep \u4e2d", daemon=True),
        threading.Thread(target=exec, args=(code, {"wait": wait}), name="exec"),
        Subclass(name=""),
    ]
    for thread in threads:
        thread.start()
    while not are_waiting(threads):
        time.sleep(0.01)
    time.sleep(0.05)  # longer than a thread needs to begin to wait in the kernel
    frames = sys._current_frames()
    print(json.dumps({each.ident: expected(each, frames[each.ident]) for each in threads}))
    sys.stdout.flush()
    sys.stdin.readline()
    done.set()


main()
