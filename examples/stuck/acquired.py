"""Two threads take the two locks of a table and its log by acquire(), in different orders."""

import threading

table, log, both = threading.Lock(), threading.Lock(), threading.Barrier(2)


def change():
    table.acquire()
    both.wait()
    log.acquire()
    print("never printed")
    log.release()
    table.release()


def rotate():
    log.acquire()
    both.wait()
    table.acquire()
    print("never printed")
    table.release()
    log.release()


threading.Thread(target=change, name="change", daemon=True).start()
threading.Thread(target=rotate, name="rotate", daemon=True).start()
threading.Event().wait()
