"""Two tasks of trio take two locks in different orders. One of them gives up after some time."""

import trio


async def take(first, second, seconds):
    async with first:
        await trio.sleep(0.01)
        with trio.move_on_after(seconds):
            async with second:
                pass


async def main():
    """Start both tasks."""
    a, b = trio.Lock(), trio.Lock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, a, b, float("inf"), name="patient")
        nursery.start_soon(take, b, a, 1000, name="impatient")


trio.run(main)
