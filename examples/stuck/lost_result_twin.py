"""Looks like lost_result.py, but the worker is alive, and is stuck itself."""

import multiprocessing
import threading

never = threading.Event()


def work():
    never.wait()


if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool(1)
    result = pool.apply_async(work)
    print(result.get())
