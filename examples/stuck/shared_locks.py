"""Two processes take two locks in a different order."""

import multiprocessing


def take(first, second, barrier):
    with first:
        barrier.wait()
        with second:
            pass


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    table, log, both = context.Lock(), context.Lock(), context.Barrier(2)
    context.Process(target=take, args=(log, table, both), daemon=True).start()
    take(table, log, both)
