"""A task waits for its parts, which are queued in the pool whose only thread runs the task."""

import concurrent.futures

pool = concurrent.futures.ThreadPoolExecutor(1, "pool")


def whole():
    parts = [pool.submit(print, "never printed") for _ in range(2)]
    concurrent.futures.wait(parts)


pool.submit(whole).result()
