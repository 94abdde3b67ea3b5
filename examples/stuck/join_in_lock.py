"""The main thread waits for the end of a thread that needs the main thread's lock."""

import threading

lock = threading.RLock()


def work():
    with lock:
        print("never printed")


worker = threading.Thread(target=work, name="worker", daemon=True)
with lock:
    worker.start()
    worker.join()
