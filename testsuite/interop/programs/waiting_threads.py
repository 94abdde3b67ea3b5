"""Functions in which threads wait, and what Python says about these threads."""

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


def sendable(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def calls(frame):
    found = []
    while frame is not None:
        code = frame.f_code
        qualname = getattr(code, "co_qualname", None)
        found.append((sendable(code.co_filename), frame.f_lineno, code.co_name, qualname))
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


def start(threads):
    """Start threads, and wait until all of them wait."""
    for thread in threads:
        thread.start()
    while not are_waiting(threads):
        time.sleep(0.01)


def are_waiting(threads):
    frames = sys._current_frames()
    innermost = [frames[each.ident].f_code.co_name for each in threads if each.ident in frames]
    return len(innermost) == len(threads) and set(innermost) == {"wait"}
