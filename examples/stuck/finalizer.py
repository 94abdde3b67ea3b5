"""Python collects garbage while a thread has a lock, and __del__ of the garbage takes this lock."""

import gc
import threading

lock = threading.Lock()


class Entry:
    """What a cache contains."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        with lock:
            print("never printed")


def collect():
    with lock:
        gc.collect()


Entry()
collect()
