"""A task keeps a lock of threads while it waits. Another task blocks the loop to get this lock."""

import asyncio
import threading

lock = threading.Lock()


async def keep():
    with lock:
        await asyncio.sleep(0.01)


async def main():
    """Wait for the lock without await."""
    task = asyncio.create_task(keep(), name="keeper")
    await asyncio.sleep(0)
    with lock:
        await task


asyncio.run(main())
