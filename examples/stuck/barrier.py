"""Three threads should meet at a barrier, but only two are started."""

import threading

barrier = threading.Barrier(3)


def work():
    barrier.wait()


threading.Thread(target=work, name="worker", daemon=True).start()
work()
