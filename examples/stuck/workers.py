"""Many threads wait for work; one of them is stuck in it."""

import queue
import threading

jobs, never = queue.Queue(), threading.Event()


def work():
    while True:
        jobs.get()()


for i in range(20):
    threading.Thread(target=work, name=f"worker-{i}", daemon=True).start()
jobs.put(never.wait)
jobs.join()
