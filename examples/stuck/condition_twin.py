"""No deadlock: a thread that waits for a notification has released the lock of the Condition."""

import threading
import time

cond, taken = threading.Condition(threading.Lock()), threading.Event()


def sleeper():
    with cond:
        cond.wait()


def owner():
    with cond:
        taken.set()
        time.sleep(3600)


threading.Thread(target=sleeper, name="sleeper", daemon=True).start()
while not cond._waiters:
    time.sleep(0.01)
threading.Thread(target=owner, name="owner", daemon=True).start()
taken.wait()
with cond:
    print("never printed")
