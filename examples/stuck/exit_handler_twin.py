"""Looks like exit_handler.py, but the program itself calls the function, and does not end."""

import atexit
import threading

flushed = threading.Event()


@atexit.register
def flush():
    flushed.wait()


flush()
