"""Two transfers between the same accounts take the two locks in different orders."""

import threading


def transfer(src, dst, barrier):
    with src.lock:
        barrier.wait()
        with dst.lock:
            src.money, dst.money = src.money - 1, dst.money + 1


class Account:
    """Money, and the lock that guards it."""

    def __init__(self, money):
        self.money, self.lock = money, threading.Lock()


a, b, both = Account(5), Account(5), threading.Barrier(2)
for i, pair in enumerate([(a, b), (b, a)]):
    threading.Thread(target=transfer, args=(*pair, both), name=f"transfer-{i}", daemon=True).start()
for t in threading.enumerate()[1:]:
    t.join()
