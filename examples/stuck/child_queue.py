"""A process joins its child before it gets the child's result.

The child ends only when all of the result is in the pipe of the queue, and the pipe is full.
"""

import multiprocessing


def work(results):
    results.put("x" * 1_000_000)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=work, args=(results,))
    child.start()
    child.join()
    print(results.get())
