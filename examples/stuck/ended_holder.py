"""A thread has ended without releasing its RLock."""

import threading

lock = threading.RLock()
worker = threading.Thread(target=lock.acquire, name="worker")
worker.start()
worker.join()
with lock:
    print("never printed")
