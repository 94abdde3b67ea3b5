"""Looks like child_queue.py, but the child waits for something else, and its result is small."""

import multiprocessing
import threading


def work(results):
    results.put("x")
    threading.Event().wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=work, args=(results,))
    child.start()
    child.join()
    print(results.get())
