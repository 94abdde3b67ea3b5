"""A worker process is killed while it holds the lock of a queue, which is never released."""

import multiprocessing
import os
import signal


def take(queue):
    queue._rlock.acquire()  # as queue.get() does while it waits for an item
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    jobs = context.Queue()
    worker = context.Process(target=take, args=(jobs,))
    worker.start()
    worker.join()
    print(jobs.get())
