"""A program waits for the end of any of its children, which all wait for something."""

import os
import threading

never = threading.Event()
for _ in range(2):
    if os.fork() == 0:
        never.wait()
os.wait()
