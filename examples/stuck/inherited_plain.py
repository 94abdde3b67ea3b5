"""A process is forked while another thread has a Lock. A Lock does not store who has it."""

import os
import threading

lock, taken = threading.Lock(), threading.Event()


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
