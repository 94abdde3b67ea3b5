"""The program ends, and a function that it has registered with atexit waits for ever."""

import atexit
import threading

flushed = threading.Event()


@atexit.register
def flush():
    flushed.wait()
