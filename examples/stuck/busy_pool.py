"""All threads of a pool are busy, so a short task has to wait."""

import concurrent.futures
import threading

pool, never = concurrent.futures.ThreadPoolExecutor(2, "pool"), threading.Event()


def work():
    never.wait()


for _ in range(2):
    pool.submit(work)
short = pool.submit(print, "never printed")
short.result()
