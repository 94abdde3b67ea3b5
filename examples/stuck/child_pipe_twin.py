"""Looks like child_pipe.py, but another thread will read the output of the child."""

import subprocess
import threading

child = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
begin = threading.Event()


def read():
    begin.wait()
    child.stdout.read()


threading.Thread(target=read, name="reader", daemon=True).start()
child.wait()
