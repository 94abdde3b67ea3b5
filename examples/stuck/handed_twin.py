"""The first thread has acquired the Lock, but another thread has released it for this one."""

import threading

lock, never = threading.Lock(), threading.Event()


def take():
    lock.acquire()


def first():
    lock.acquire()
    taken.set()
    never.wait()


def releaser():
    taken.wait()
    lock.release()
    take()  # this function has returned, so nothing shows that this thread holds the Lock
    threading.Thread(target=waiter, name="waiter", daemon=True).start()
    never.wait()


def waiter():
    with lock:
        print("never printed")


taken = threading.Event()
threading.Thread(target=first, name="first", daemon=True).start()
threading.Thread(target=releaser, name="releaser", daemon=True).start()
never.wait()
