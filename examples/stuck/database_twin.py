"""Looks like database.py, but a connection of the program itself has locked the database.

It is not known which one. A thread that only computes does not wait for the database.
"""

import os
import sqlite3
import tempfile
import threading

path = os.path.join(tempfile.gettempdir(), f"shop-{os.getpid()}.db")
orders = sqlite3.connect(path, isolation_level=None)
orders.execute("begin exclusive")


def count():
    numbers = sqlite3.connect(":memory:")
    numbers.execute(
        "with recursive n(x) as (select 1 union all select x from n) select max(x) from n"
    )


threading.Thread(target=count, name="count", daemon=True).start()
shop = sqlite3.connect(path, timeout=1000)
shop.execute("create table orders (number)")
