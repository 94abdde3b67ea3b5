"""A handler of logging writes to a pipe that is full, and keeps its lock meanwhile."""

import logging
import os
import threading

reader, writer = os.pipe()
logging.basicConfig(stream=os.fdopen(writer, "w"))


def work():
    logging.error("x" * 200000)


threading.Thread(target=work, name="worker", daemon=True).start()
os.read(reader, 1)
logging.error("never written")
