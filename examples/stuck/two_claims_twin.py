"""Two threads have entered the same lock: the first one has released it inside the `with`."""

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
