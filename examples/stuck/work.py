"""A thread holds a lock while it does something that takes very long."""

import threading
import time

lock, taken = threading.Lock(), threading.Event()


def work():
    with lock:
        taken.set()
        time.sleep(3600)


threading.Thread(target=work, name="worker", daemon=True).start()
taken.wait()
with lock:
    print("never printed")
