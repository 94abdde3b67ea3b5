"""A task waits for another task of its pool, whose only thread it occupies."""

import concurrent.futures

pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool")


def outer():
    return pool.submit(print, "never printed").result()


pool.submit(outer).result()
