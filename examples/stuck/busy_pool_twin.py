"""All threads of a pool are busy, but any of the tasks may end the wait, also one from outside."""

import concurrent.futures
import threading

pool, never = concurrent.futures.ThreadPoolExecutor(2, "pool"), threading.Event()


def work():
    never.wait()


tasks = [pool.submit(work) for _ in range(3)]
tasks.append(concurrent.futures.Future())
concurrent.futures.wait(tasks, return_when="FIRST_COMPLETED")
