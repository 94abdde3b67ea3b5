"""A thread prints to a pipe that no process reads, so no other thread can print."""

import os
import select
import sys
import threading

reader, writer = os.pipe()
sys.stdout = open(writer, "w")  # noqa: SIM115


def chatter():
    print("x" * 1_000_000, flush=True)


threading.Thread(target=chatter, name="chatter", daemon=True).start()
select.select([reader], [], [])
print("never printed", flush=True)
