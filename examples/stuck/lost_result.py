"""A worker process of a pool dies while it computes a result, and the pool does not notice it."""

import multiprocessing
import os
import signal

if __name__ == "__main__":
    # A new worker takes the place of the old one, but not its task.
    context = multiprocessing.get_context("fork")
    pool = context.Pool(1)
    result = pool.apply_async(os.kill, (pool.apply(os.getpid), signal.SIGKILL))
    print(result.get())
