"""Two threads have entered a lock. The first one has released it, which its code does not show."""

import threading
import time

lock, released, taken = threading.Lock(), threading.Event(), threading.Event()
give_back = lock.release


def first():
    with lock:
        give_back()
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
