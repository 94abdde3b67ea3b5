"""All worker processes of an executor are busy with tasks that never end."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor

never = threading.Event()


def work():
    never.wait()


if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))
    tasks = [pool.submit(work) for _ in range(3)]
    print(tasks[2].result())
