"""A thread waits for a notification and holds the lock that the notifying thread needs first."""

import threading

outer, inner, waiting = threading.Lock(), threading.Condition(), threading.Event()


def consumer():
    with outer, inner:
        waiting.set()
        inner.wait()


def producer():
    waiting.wait()
    with outer, inner:
        inner.notify()


threading.Thread(target=consumer, name="consumer", daemon=True).start()
producer()
