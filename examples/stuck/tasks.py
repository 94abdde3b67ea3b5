"""Two tasks take two locks of asyncio in different orders; main() waits for both."""

import asyncio


async def transfer(src, dst, ready):
    async with src.lock:
        await ready.wait()
        async with dst.lock:
            src.money, dst.money = src.money - 1, dst.money + 1


class Account:
    """Money, and the lock that guards it."""

    def __init__(self, money):
        self.money, self.lock = money, asyncio.Lock()


async def main():
    """Start both transfers."""
    a, b, ready = Account(5), Account(5), asyncio.Event()
    pairs = enumerate([(a, b), (b, a)])
    tasks = [asyncio.create_task(transfer(*pair, ready), name=f"transfer-{i}") for i, pair in pairs]
    asyncio.get_running_loop().call_later(0.01, ready.set)
    await asyncio.gather(*tasks)


asyncio.run(main())
