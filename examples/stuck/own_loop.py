"""A function waits for a coroutine that only the loop of its own thread can run."""

import asyncio


async def fetch():
    return 42


def load(loop):
    return asyncio.run_coroutine_threadsafe(fetch(), loop).result()


async def main():
    """Call a function that waits for a task of this loop."""
    load(asyncio.get_running_loop())


asyncio.run(main())
