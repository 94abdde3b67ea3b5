"""No deadlock: one of two threads gives up after some time, and tries again."""

import threading

a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)


def patient():
    with a:
        both.wait()
        while not b.acquire(timeout=30):
            pass


threading.Thread(target=patient, name="patient", daemon=True).start()
with b:
    both.wait()
    with a:
        print("after 30 seconds")
