"""A process is forked while another thread has an RLock: no thread of the child can release it."""

import os
import threading

lock, taken = threading.RLock(), threading.Event()


def work():
    with lock:
        taken.set()
        threading.Event().wait()


threading.Thread(target=work, name="worker", daemon=True).start()
taken.wait()
if os.fork() == 0:
    with lock:
        print("never printed")
os.wait()
