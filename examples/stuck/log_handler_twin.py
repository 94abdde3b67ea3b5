"""The lock is not one of logging: a class of the program looks like one of its handlers."""

import threading
import time


class Handler:
    """Has a lock."""

    def __init__(self):
        self.lock, self.taken = threading.RLock(), threading.Event()

    def acquire(self):
        """Acquire the lock."""
        self.lock.acquire()

    def work(self):
        """Keep the lock for an hour."""
        with self.lock:
            self.taken.set()
            time.sleep(3600)


handler = Handler()
threading.Thread(target=handler.work, name="worker", daemon=True).start()
handler.taken.wait()
handler.acquire()
