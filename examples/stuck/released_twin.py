"""A thread has released its lock inside the `with`, and another one has entered it since then."""

import threading
import time

lock, released, taken = threading.Lock(), threading.Event(), threading.Event()


def first():
    with lock:
        lock.release()
        released.set()
        time.sleep(3600)


def second():
    released.wait()
    with lock:
        taken.set()
        time.sleep(3600)


threading.Thread(target=first, name="first", daemon=True).start()
threading.Thread(target=second, name="second", daemon=True).start()
taken.wait()
with lock:
    print("never printed")
