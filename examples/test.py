"""A program that is stuck: the main thread waits for a lock that another thread holds."""

import sys
import threading
import time

import pystuck

pystuck.run_server(port=int(sys.argv[1]) if len(sys.argv) > 1 else 6666)

lock = threading.RLock()
taken = threading.Event()


def work():
    with lock:
        taken.set()
        time.sleep(3600)  # something that takes very long


threading.Thread(target=work, daemon=True).start()
taken.wait()
with lock:  # could block
    print("never printed")
