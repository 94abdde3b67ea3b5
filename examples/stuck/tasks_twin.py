"""Like tasks.py, but one task gives up after some time, and the other one gets its lock with
acquire(), so that its holder is not known."""

import asyncio


async def first(a, b, ready):
    async with a:
        await ready.wait()
        attempt = asyncio.create_task(b.acquire(), name="attempt")
        await asyncio.wait({attempt}, timeout=300)


async def second(a, b, ready):
    await b.acquire()
    await ready.wait()
    async with a:
        b.release()


async def main():
    """Start both tasks."""
    a, b, ready = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
    tasks = [asyncio.create_task(each(a, b, ready), name=each.__name__) for each in (first, second)]
    asyncio.get_running_loop().call_later(0.01, ready.set)
    await asyncio.gather(*tasks)


asyncio.run(main())
