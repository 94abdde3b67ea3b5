"""A thread imports a module, which waits meanwhile. The main thread waits for something else."""

import importlib
import sys
import threading
import time


def work():
    importlib.import_module("slow_module")


threading.Thread(target=work, name="worker", daemon=True).start()
while not hasattr(sys.modules.get("slow_module"), "begun"):
    time.sleep(0.01)
threading.Event().wait()
