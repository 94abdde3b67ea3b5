# SPDX-License-Identifier: BSD-3-Clause
"""Tasks of asyncio in known states, in the loops of two threads, for test_tasks.py.

The tasks of the main thread are of a class that counts calls of its methods by other threads.
"""

import asyncio
import contextlib
import sys
import threading
import time

called = []
idents = [threading.get_ident()]


def counted(name):
    def method(self, *arguments, **options):
        if threading.get_ident() not in idents:
            called.append(name)
        return getattr(asyncio.Task, name)(self, *arguments, **options)

    return method


class Meta(type(asyncio.Task)):
    """A metaclass whose classes count their comparisons."""

    __hash__ = counted("__hash__")

    def __eq__(cls, other):
        if threading.get_ident() not in idents:
            called.append("Meta.__eq__")
        return cls is other


NAMES = (
    "__hash__ __eq__ __repr__ __getattribute__ done get_loop get_name get_coro get_stack"
    " add_done_callback cancelled result"
).split()
Counted = Meta("Counted", (asyncio.Task,), {name: counted(name) for name in NAMES})


def make(coroutine, name):
    task = Counted(coroutine, loop=asyncio.get_running_loop(), name=name)
    made.append(task)
    return task


class Lock(asyncio.Lock):
    """A lock of the program."""

    def __repr__(self):
        called.append("Lock.__repr__")
        return "a lock"

    def __getattr__(self, name):
        called.append("Lock.__getattr__")
        raise AttributeError(name)


class Manager:
    """A context manager whose attributes are properties."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass

    @property
    def _timeout_handler(self):
        called.append("Manager._timeout_handler")

    __dict__ = _lock = _locked = _timeout_handler


made = []


async def never():
    await asyncio.get_running_loop().create_future()


async def hold(lock):
    async with Manager(), lock:
        await never()


@contextlib.asynccontextmanager
async def entered(lock):
    async with lock:
        yield


async def hold_more(first, second):
    async with entered(first), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(second)
        await never()


async def take(lock):
    async with lock:
        pass


async def both(one, other, ready):
    async with one:
        await ready.wait()
        async with other:
            pass


async def release(lock):
    async with lock:
        lock.release()
        await never()


async def grab(lock):
    await lock.acquire()
    await never()


async def release_below(lock):
    async with lock:
        await released(lock)


async def released(lock):
    lock.release()
    await never()


@contextlib.asynccontextmanager
async def entered_and_released(lock):
    async with lock:
        lock.release()
        yield


async def release_in_manager(lock):
    async with entered_and_released(lock):
        await never()


async def notified(condition):
    async with condition:
        await condition.wait()


async def numbers():
    yield 1
    await never()


async def count():
    async for _ in numbers():
        pass


async def gather(*tasks):
    await asyncio.gather(asyncio.gather(*tasks[1:]), tasks[0])


async def some(*tasks):
    await asyncio.wait(tasks, timeout=3600)


async def first_of(*tasks):
    for each in asyncio.as_completed(tasks):
        await each


async def shielded(task):
    await asyncio.shield(task)


async def limited(task):
    await asyncio.wait_for(task, 3600)


async def other_thread(wait):
    await asyncio.get_running_loop().run_in_executor(None, wait)


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(never(), name="in group")


async def timed():
    async with asyncio.timeout(3600):
        await never()


async def work():
    await asyncio.Event().wait()


async def main():
    """Make the tasks, and then block the loop."""
    asyncio.current_task().set_name("main")
    locks = [Lock() for _ in range(7)]
    ready, condition, queue = asyncio.Event(), asyncio.Condition(), asyncio.Queue(1)
    make(hold(locks[0]), "holder")
    make(hold_more(locks[1], locks[2]), "manager")
    make(release(locks[5]), "releases")
    make(both(locks[3], locks[4], ready), "dead 0")
    make(both(locks[4], locks[3], ready), "dead 1")
    await asyncio.sleep(0)
    holder, dead = made[0], made[3]
    holder.add_done_callback(callback())
    make(grab(locks[5]), "grabber")
    for i in (0, 1, 2, 5):
        make(take(locks[i]), f"taker {i}")
    make(gather(*made[6:8]), "gather")
    for i, each in enumerate((release_below, release_in_manager, hold, take)):
        make(each(locks[6]), f"in turn {i}")
    semaphores = asyncio.Semaphore(), asyncio.Semaphore()
    make(release(semaphores[0]), "permit 0")
    make(hold(semaphores[0]), "permit 1")
    make(release(semaphores[1]), "permit 2")
    make(gather(dead), "gather stuck")
    make(some(dead, holder), "some")
    make(first_of(holder, dead), "first of")
    make(shielded(dead), "shielded")
    make(limited(dead), "limited")
    make(notified(condition), "notified")
    make(count(), "count")
    make(asyncio.sleep(3600), "sleeper")
    make(queue.get(), "getter")
    make(other_thread(threading.Event().wait), "other thread")
    ready.set()
    for _ in range(4):
        await asyncio.sleep(0)
    make(hold(condition), "holds condition")
    for i in range(6):
        make(work(), f"worker-{i}")
    if sys.version_info >= (3, 11):
        make(grouped(), "grouped")
        make(timed(), "timed")
    for _ in range(4):
        await asyncio.sleep(0)
    make(never(), "ready")
    started.wait()
    time.sleep(100000)


class Names(dict):
    """The globals of a callback."""

    def get(self, *arguments):
        called.append("Names.get")
        return dict.get(self, *arguments)


def callback():
    """Return a function that has a closure and globals of the class Names."""

    def done(_):
        return done

    return type(counted)(done.__code__, Names(globals()), "done", None, done.__closure__)


def second():
    async def wait():
        idents.append(threading.get_ident())
        asyncio.current_task().set_name("second main")
        started.set()
        await asyncio.create_task(never(), name="second never")

    asyncio.run(wait())


started = threading.Event()
threading.Thread(target=second, name="second", daemon=True).start()
asyncio.run(main())
