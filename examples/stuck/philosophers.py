"""Five philosophers take the fork on their left, then wait for the one on their right."""

import threading

forks, seated = [threading.Lock() for _ in range(5)], threading.Barrier(5)


def dine(left, right):
    with left:
        seated.wait()
        with right:
            print("never printed")


for i in range(5):
    pair = forks[i], forks[(i + 1) % 5]
    threading.Thread(target=dine, args=pair, name=f"philosopher-{i}").start()
