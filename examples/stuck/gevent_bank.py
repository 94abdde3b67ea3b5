"""Two greenlets take two locks of gevent in different orders; the main greenlet waits for both."""

import gevent
from gevent.lock import RLock


def transfer(src, dst, ready):
    with src.lock:
        ready.wait()
        with dst.lock:
            src.money, dst.money = src.money - 1, dst.money + 1


class Account:
    """Money, and the lock that guards it."""

    def __init__(self, money):
        self.money, self.lock = money, RLock()


a, b, ready = Account(5), Account(5), gevent.event.Event()
greenlets = [gevent.spawn(transfer, *pair, ready) for pair in [(a, b), (b, a)]]
for number, greenlet in enumerate(greenlets):
    greenlet.name = f"transfer-{number}"
gevent.sleep(0.01)
ready.set()
timer = gevent.get_hub().loop.timer(1000)  # with a timer, gevent raises no LoopExit
timer.start(print)
gevent.joinall(greenlets)
