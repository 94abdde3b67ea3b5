"""Measures how long it takes to read the stacks of 10 threads with 20 frames each.

Prints a JSON object with two numbers each, CPU seconds and how often memory is read: `frames`, for
the frames alone; `all`, also for what the threads wait for and hold. `python`: the CPU seconds in
which Python code gets the same members of each frame from sys._current_frames().
"""

import json
import sys
import threading
import time

import stackreader_module

THREADS, FRAMES, TIMES = 10, 20, 30
BELOW = 5  # frames of threading: _bootstrap, _bootstrap_inner, run; Event.wait, Condition.wait

done = threading.Event()
ready = threading.Barrier(THREADS)


def wait(depth):
    if depth > 1:
        wait(depth - 1)
    else:
        ready.wait()
        done.wait()


def by_python():
    """What the reader gives: file, function, qualified name and line of each frame."""
    found = []
    for ident, frame in sys._current_frames().items():
        frames = []
        while frame:
            code = frame.f_code
            name = code.co_qualname if sys.version_info >= (3, 11) else code.co_name
            frames.append((code.co_filename, code.co_name, name, frame.f_lineno))
            frame = frame.f_back
        found.append((ident, frames))
    return found


def cost_of_python():
    least = float("inf")
    for _ in range(TIMES):
        start = time.thread_time()
        by_python()
        least = min(least, time.thread_time() - start)
    return least


def counts():
    main = threading.get_ident()
    return sorted(len(frames) for ident, frames in by_python() if ident != main)


for _ in range(THREADS - 1):
    threading.Thread(target=wait, args=(FRAMES - BELOW,), daemon=True).start()
ready.wait()
while counts() != [FRAMES] * (THREADS - 1):
    time.sleep(0.001)


def at_depth(depth):
    """The main thread has as many frames as the others."""
    if depth > 1:
        return at_depth(depth - 1)
    return {
        "frames": stackreader_module.cost(TIMES, False),
        "all": stackreader_module.cost(TIMES, True),
        "python": cost_of_python(),
    }


print(json.dumps(at_depth(FRAMES - 1)), flush=True)
done.set()
