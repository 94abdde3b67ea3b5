"""Two greenlets take two semaphores in different orders. The program may still release permits."""

import gevent
from gevent.lock import BoundedSemaphore, Semaphore


def take(first, second):
    with first:
        gevent.sleep(0.01)
        with second:
            pass


a, b = Semaphore(1), BoundedSemaphore(2)
b.acquire()
tasks = [gevent.spawn(take, a, b), gevent.spawn(take, b, a)]
for number, task in enumerate(tasks):
    task.name = f"take-{number}"
gevent.get_hub().loop.timer(1000).start(a.release)
gevent.joinall(tasks)
