"""A task takes a lock of threads: as long as it waits, no other task of the loop can run."""

import asyncio
import threading

lock, taken = threading.Lock(), threading.Event()


def hold():
    with lock:
        taken.set()
        threading.Event().wait()


async def main():
    """Wait in a synchronous call."""
    threading.Thread(target=hold, name="holder", daemon=True).start()
    await asyncio.to_thread(taken.wait)
    with lock:
        print("never printed")


asyncio.run(main())
