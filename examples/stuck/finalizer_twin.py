"""Looks like finalizer.py, but the program calls __del__ itself, and has no lock."""

import threading

lock, taken = threading.Lock(), threading.Event()


class Entry:
    """What a cache contains."""

    def __del__(self):
        with lock:
            print("printed when worker releases the lock")


def work():
    with lock:
        taken.set()
        threading.Event().wait()


threading.Thread(target=work, name="worker", daemon=True).start()
taken.wait()
Entry().__del__()
