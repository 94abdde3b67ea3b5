"""A program without pystuck, whose stacks are read from outside.

Prints a JSON object with what Python knows of its threads, by ident, when all of them wait. Then it
waits for a line on standard input.
"""

import json
import sys
import threading
import time

from waiting_threads import done, expected, recurse, start, wait


def generate():
    wait()
    yield 1


class Subclass(threading.Thread):
    def run(self):
        sorted([1], key=lambda _: next(generate()))


def main():
    code = compile("\n\nif True:\n\n    wait()\n", "made\udcff up.py", "exec")
    threads = [
        threading.Thread(target=wait, name="plain"),
        threading.Thread(target=recurse, args=(300,), name="d\xe9ep \u4e2d", daemon=True),
        threading.Thread(target=exec, args=(code, {"wait": wait}), name="exec"),
        Subclass(name=""),
    ]
    start(threads)
    time.sleep(0.05)  # longer than a thread needs to begin to wait in the kernel
    frames = sys._current_frames()
    print(json.dumps({each.ident: expected(each, frames[each.ident]) for each in threads}))
    sys.stdout.flush()
    sys.stdin.readline()
    done.set()


main()
