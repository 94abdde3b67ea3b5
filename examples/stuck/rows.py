"""Two loops over the rows of two tables: each generator keeps its table locked meanwhile."""

import threading


def rows(lock):
    with lock:
        yield from range(3)


def copy(source, target, both):
    for _row in rows(source):
        both.wait()
        with target:
            print("never printed")


a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
threading.Thread(target=copy, args=(a, b, both), name="a-to-b", daemon=True).start()
threading.Thread(target=copy, args=(b, a, both), name="b-to-a", daemon=True).start()
threading.Event().wait()
