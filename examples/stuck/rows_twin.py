"""Like rows.py, but other threads may run the generators to their ends, and unlock the tables."""

import threading


def rows(lock):
    with lock:
        yield from range(3)


def copy(source, target, both):
    for _row in source:
        both.wait()
        with target:
            print("never printed")


a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
of_a, of_b = rows(a), rows(b)
threading.Thread(target=copy, args=(of_a, b, both), name="a-to-b", daemon=True).start()
threading.Thread(target=copy, args=(of_b, a, both), name="b-to-a", daemon=True).start()
threading.Event().wait()
