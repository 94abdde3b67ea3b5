"""Like shared_locks.py, but this process has released the other lock, and a third has taken it."""

import multiprocessing


def take(first, second, barriers):
    with first:
        for barrier in barriers:
            barrier.wait()
        with second:
            pass


def take_released(lock, barriers, never):
    barriers[0].wait()
    lock.acquire()
    barriers[1].wait()
    never.wait()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    table, log, never = context.Lock(), context.Lock(), context.Event()
    both = [context.Barrier(3) for _ in range(2)]
    context.Process(target=take, args=(log, table, both), daemon=True).start()
    context.Process(target=take_released, args=(log, both, never), daemon=True).start()
    with table:
        both[0].wait()
        log.release()  # any process may release a Lock
        both[1].wait()
        with log:
            pass
