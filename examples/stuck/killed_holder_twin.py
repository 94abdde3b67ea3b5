"""Looks like killed_holder.py, but the worker that holds the lock of the queue is alive."""

import multiprocessing
import threading

never = threading.Event()


def take(queue, taken):
    with queue._rlock:
        taken.set()
        never.wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    jobs, taken = context.Queue(), context.Event()
    context.Process(target=take, args=(jobs, taken), daemon=True).start()
    taken.wait()
    print(jobs.get())
