"""Two tasks of trio take two locks in different orders; main() waits for both."""

import trio


async def transfer(src, dst, ready):
    async with src.lock:
        await ready.wait()
        async with dst.lock:
            src.money, dst.money = src.money - 1, dst.money + 1


class Account:
    """Money, and the lock that guards it."""

    def __init__(self, money):
        self.money, self.lock = money, trio.Lock()


async def main():
    """Start both transfers."""
    a, b, ready = Account(5), Account(5), trio.Event()
    async with trio.open_nursery() as nursery:
        for number, pair in enumerate([(a, b), (b, a)]):
            nursery.start_soon(transfer, *pair, ready, name=f"transfer-{number}")
        await trio.sleep(0.01)
        ready.set()


trio.run(main)
