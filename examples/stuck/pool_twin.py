"""No deadlock: of two threads of a pool, one waits for a task of the pool, the other one works."""

import concurrent.futures
import threading
import time

pool = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="pool")
begun, working = threading.Event(), threading.Event()


def work():
    working.set()
    time.sleep(3600)


def outer():
    begun.set()
    working.wait()
    return pool.submit(print, "after an hour").result()


task = pool.submit(outer)
begun.wait()
pool.submit(work)
task.result()
