"""No deadlock: another thread may release the semaphore."""

import threading

slots, lock, both = threading.Semaphore(1), threading.Lock(), threading.Barrier(2)


def work():
    with slots:
        both.wait()
        with lock:
            print("never printed")


threading.Thread(target=work, name="worker", daemon=True).start()
with lock:
    both.wait()
    with slots:
        print("never printed")
