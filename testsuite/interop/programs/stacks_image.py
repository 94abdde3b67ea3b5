"""Records an image of the memory that the stack reader reads, for stackreader_replay.

Argument: the file to write.
"""

import json
import sys
import threading
import time

import stackreader_module

done = threading.Event()


def wait(*_):
    done.wait()


def recurse(depth):
    if depth:
        recurse(depth - 1)
    else:
        wait()


def generate():
    wait()
    yield


def generate_more():
    yield from generate()


def use_generator():
    list(generate_more())


def call_back():
    sorted([1], key=wait)


def résumé():
    (lambda: wait())()


CODE = compile("\n" * 300 + "class C:\n    wait()\n", "made \u4e2d\u6587.py", "exec")
TARGETS = {
    "recurses": lambda: recurse(40),
    "g\xe9n\xe9rateur": use_generator,
    "\u4e2d\u6587 \U0001f40d": call_back,
    "r\xe9sum\xe9": résumé,
    "code": lambda: exec(CODE, {"wait": wait}),
}
threads = [threading.Thread(target=target, name=name) for name, target in TARGETS.items()]
threads[0].__dict__["more"] = 1
for thread in threads:
    thread.start()


def all_wait():
    frames = sys._current_frames()
    return all(is_waiting(frames[thread.ident]) for thread in threads)


def is_waiting(frame):
    while frame and frame.f_code is not wait.__code__:
        frame = frame.f_back
    return frame is not None


while not all_wait():
    time.sleep(0.01)
recorded = stackreader_module.record(sys.argv[1])
done.set()
print(json.dumps({"threads": recorded}), flush=True)
