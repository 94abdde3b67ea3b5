"""The lock is not inherited by fork: a thread of the child has acquired it."""

import os
import threading
import time

lock, taken = threading.RLock(), threading.Event()


def work():
    with lock:
        taken.set()
        time.sleep(3600)


if os.fork() == 0:
    threading.Thread(target=work, name="worker", daemon=True).start()
    taken.wait()
    with lock:
        print("never printed")
os.wait()
