"""A database is locked: a process that has begun a transaction never ends it."""

import os
import sqlite3
import tempfile
import threading

path = os.path.join(tempfile.gettempdir(), f"shop-{os.getpid()}.db")
begun = os.pipe()
if os.fork() == 0:
    orders = sqlite3.connect(path, isolation_level=None)
    orders.execute("begin exclusive")
    os.write(begun[1], b".")
    never = threading.Event()
    never.wait()
os.read(begun[0], 1)
shop = sqlite3.connect(path, timeout=1000)
shop.execute("create table orders (number)")
