"""A program waits some time for the end of a child that never ends."""

import multiprocessing
import threading

never = threading.Event()

if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=never.wait)
    child.start()
    child.join(100000)
