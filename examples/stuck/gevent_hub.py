"""A greenlet holds a Lock that is not gevent's; another one waits for it, and blocks the hub."""

import threading

import gevent

lock = threading.Lock()


def holder():
    with lock:
        gevent.sleep(0.01)


def waiter():
    with lock:
        pass


gevent.joinall([gevent.spawn(holder), gevent.spawn(waiter)])
