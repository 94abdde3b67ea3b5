"""Starts threads that wait in known ways, and compares what the stack reader says about them.

Prints a JSON object: `compared`, the number of threads; `different`, a list of what differs.
"""

import concurrent.futures
import contextlib
import functools
import json
import multiprocessing
import os
import queue
import select
import sys
import threading
import time

import stackreader_module

DEADLINE = float(os.environ.get("DEADLINE", "60"))  # seconds
SEEN, KNOWN, LIKELY = "seen", "known", "likely"
CERTAINTIES = [None, KNOWN, SEEN, LIKELY]
STATUSES = [None, "known", "free", "not-known", "ended", "inherited"]

done = threading.Event()  # it is never set
has_ended = threading.Event()
plain, other, managed, stacked, guessed, called = [threading.Lock() for _ in range(6)]
yielded, looped, shared_loop = [threading.Lock() for _ in range(3)]
recursive, ended = threading.RLock(), threading.RLock()
condition, of_plain = threading.Condition(), threading.Condition(threading.Lock())
released, other_free = threading.Lock(), threading.Lock()
semaphore = threading.Semaphore(1)
(of_file, to_file), (of_text, to_text) = os.pipe(), os.pipe()
file, text = open(to_file, "wb"), open(to_text, "w")  # noqa: SIM115
event = threading.Event()
things, full, simple = queue.Queue(), queue.Queue(1), queue.SimpleQueue()
full.put(1)
barrier = threading.Barrier(2)
shared = multiprocessing.get_context("fork").Lock()
shared_ended = multiprocessing.get_context("fork").RLock()
executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="worker")


def hold():
    with plain, other, recursive:
        done.wait()


@contextlib.contextmanager
def manage():
    with managed:
        yield


def hold_managed():
    with manage():
        done.wait()


def hold_stacked():
    """The deque of callbacks has several blocks of 64."""
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.callback(print)
        stack.enter_context(stacked)
        done.wait()


def hold_until_finally():
    guessed.acquire()
    try:
        done.wait()
    finally:
        guessed.release()


def hold_by_call():
    if done.is_set():
        return
    called.acquire()
    done.wait()
    called.release()


@contextlib.contextmanager
def manage_until_finally():
    yielded.acquire()
    try:
        yield
    finally:
        yielded.release()


def hold_managed_until_finally():
    with manage_until_finally():
        done.wait()


def generate(lock):
    with lock:
        yield 1


def hold_in_loop():
    for _ in range(1):
        for _ in generate(looped):
            try:
                raise KeyError
            except KeyError:
                done.wait()


def hold_in_shared_loop():
    """Another thread may run the generator, since a variable refers to it."""
    generator = generate(shared_loop)
    for _ in generator:
        done.wait()


def call_perhaps():
    """Has code that acquires Locks, and holds none of them."""
    called.acquire(False)
    called.acquire(timeout=0)
    if not done.is_set():
        pass
    else:
        yielded.acquire()
    other_free.acquire()
    other_free.release()
    done.wait()


def release_before_finally():
    released.acquire()
    try:
        released.release()
        done.wait()
    finally:
        released.release()


def by_with():
    with plain:
        pass


def by_acquire():
    plain.acquire()


def by_bound_method():
    acquire = plain.acquire
    acquire()


def by_timeout():
    plain.acquire(timeout=100000)


def by_arguments():
    plain.acquire(*(True, -1))


def by_function_of_class():
    type(plain).acquire(plain)


def by_exit_stack():
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain)


def by_partial():
    functools.partial(plain.acquire, timeout=-1)()


def by_map():
    list(map(plain.acquire, [True]))


def fill():
    file.write(bytes(1 << 20))


def fill_text():
    text.write("x" * (1 << 20))


def write():
    file.write(b"1")


def print_text():
    print("1", file=text, flush=True)


def by_nested_call():
    len([plain, plain.acquire()])


def rlock_by_with():
    with recursive:
        pass


def rlock_by_acquire():
    recursive.acquire()


def of_ended_thread():
    has_ended.wait()
    ended.acquire()


def of_ended_sharer():
    has_ended.wait()
    shared_ended.acquire()


def acquire_and_end():
    ended.acquire()
    shared_ended.acquire()


def wait_for_condition():
    with condition:
        condition.wait()


def wait_for_condition_of_lock():
    with of_plain:
        of_plain.wait_for(lambda: False)


def wait_twice():
    with semaphore:
        semaphore.acquire()


def wait_for_event():
    event.wait()


def wait_for_queue():
    things.get()


def wait_for_simple_queue():
    simple.get()


def wait_for_room():
    full.put(2)


def wait_for_items():
    full.join()


def wait_for_barrier():
    barrier.wait()


def wait_for_result():
    future.result(timeout=100000)


def shared_by_with():
    with shared:
        pass


def shared_by_acquire():
    shared.acquire()


def wait_for_managed():
    managed.acquire()


def wait_for_looped():
    with looped:
        pass


def wait_for_shared_loop():
    with shared_loop:
        pass


def wait_for_all():
    concurrent.futures.wait([finished, future])


def wait_for_one():
    for _ in concurrent.futures.as_completed([future]):
        pass


def wait_for_called():
    with called:
        pass


def wait_for_yielded():
    with yielded:
        pass


def wait_for_guessed():
    try:
        guessed.acquire()
    finally:
        guessed.release()


def wait_for_stacked():
    with stacked:
        pass


def join():
    holder.join()


class Instance:
    """Waits in a method, in a generator."""

    def __init__(self):
        self.locks = {"of it": managed}

    def generate(self):
        with self.locks["of it"]:
            yield

    def __call__(self):
        for _ in self.generate():
            pass


#: For each thread: its target, the object that it waits for, the kind of the wait, what its code
#: calls the object, and the objects that it holds.
CASES = [
    (by_with, plain, "lock", "plain", []),
    (by_acquire, plain, "lock", "plain", []),
    (by_bound_method, plain, "lock", "plain", []),
    (by_timeout, plain, "lock", "plain", []),
    (by_arguments, plain, "lock", "plain", []),
    (by_function_of_class, plain, "lock", "plain", []),
    (by_exit_stack, plain, "lock", "plain", []),
    (by_partial, plain, "lock", "plain", []),
    (by_map, plain, "lock", "plain", []),
    (write, file, "buffer", "file", []),
    (print_text, text.buffer, "buffer", "text", []),
    (by_nested_call, plain, "lock", "plain", []),
    (rlock_by_with, recursive, "rlock", "recursive", []),
    (rlock_by_acquire, recursive, "rlock", "recursive", []),
    (of_ended_thread, ended, "rlock", "ended", []),
    (of_ended_sharer, shared_ended._semlock, "semlock", "shared_ended", []),
    (wait_for_condition, condition, "condition", "condition", []),
    (wait_for_condition_of_lock, of_plain, "condition", "of_plain", []),
    (wait_twice, semaphore, "semaphore", "semaphore", [(semaphore, SEEN)]),
    (wait_for_event, event, "event", "event", []),
    (wait_for_queue, things, "queue-get", "things", []),
    (wait_for_simple_queue, simple, "queue-get", "simple", []),
    (wait_for_room, full, "queue-put", "full", []),
    (wait_for_items, full, "queue-join", "full", []),
    (wait_for_barrier, barrier, "barrier", "barrier", []),
    (shared_by_with, shared._semlock, "semlock", "shared", []),
    (shared_by_acquire, shared._semlock, "semlock", "shared", []),
    (wait_for_managed, managed, "lock", "managed", []),
    (wait_for_guessed, guessed, "lock", "guessed", []),
    (wait_for_called, called, "lock", "called", []),
    (wait_for_looped, looped, "lock", "looped", []),
    (wait_for_shared_loop, shared_loop, "lock", "shared_loop", []),
    (wait_for_yielded, yielded, "lock", "yielded", []),
    (wait_for_stacked, stacked, "lock", "stacked", []),
    (Instance(), managed, "lock", "self.locks['of it']", []),
]

#: The holder and the holder_status of each object.
HOLDERS = [
    (plain, "hold", "known"),
    (other, "hold", "known"),
    (recursive, "hold", "known"),
    (ended, None, "ended"),
    (shared_ended._semlock, None, "ended, recursive"),
    (managed, "hold_managed", "known"),
    (stacked, "hold_stacked", "known"),
    (guessed, "hold_until_finally", "not-known"),
    (file, "fill", "known"),
    (text.buffer, "fill_text", "known"),
    (called, "hold_by_call", "not-known"),
    (looped, "hold_in_loop", "known"),
    (shared_loop, "hold_in_shared_loop", "not-known"),
    (yielded, "hold_managed_until_finally", "not-known"),
    (semaphore, "wait_twice", "known"),
    (shared._semlock, "MainThread", "known"),
]


HOLDS = [
    hold_managed,
    hold_stacked,
    hold_until_finally,
    hold_by_call,
    hold_in_loop,
    hold_in_shared_loop,
    hold_managed_until_finally,
    release_before_finally,
    fill,
    fill_text,
]


def name_of(target):
    return getattr(target, "__name__", type(target).__name__)


def start(target):
    thread = threading.Thread(target=target, name=name_of(target), daemon=True)
    thread.start()
    return thread


def reference(thing):
    return f"obj:{id(thing):#x}"


def expected():
    """Return what the reader must say.

    By thread, (object, kind, words, holds); by object, (holders, status).
    """
    own = [(reference(plain), SEEN), (reference(other), SEEN), (reference(recursive), KNOWN)]
    for_end = (reference(done), "event", "done")
    threads = {
        "hold": (*for_end, own),
        "hold_managed": (*for_end, [(reference(managed), SEEN)]),
        "hold_stacked": (*for_end, [(reference(stacked), SEEN)]),
        "hold_until_finally": (*for_end, [(reference(guessed), LIKELY)]),
        "hold_in_loop": (*for_end, [(reference(looped), SEEN)]),
        "hold_in_shared_loop": (*for_end, [(reference(shared_loop), LIKELY)]),
        "wait_for_all": (reference(future), "future", "future", []),
        "wait_for_one": (reference(future), "future", "future", []),
        "hold_by_call": (*for_end, [(reference(called), LIKELY)]),
        "hold_managed_until_finally": (*for_end, [(reference(yielded), LIKELY)]),
        "call_perhaps": (*for_end, []),
        "fill": (None, None, None, [(reference(file), KNOWN)]),
        "fill_text": (None, None, None, [(reference(text.buffer), KNOWN)]),
        "release_before_finally": (*for_end, []),
        "worker_0": (reference(done), "event", None, [(reference(future), SEEN)]),
        "wait_for_result": (reference(future), "future", "future", []),
        "join": (f"thread:{holder.ident}", "thread", None, []),
    }
    for target, thing, kind, words, holds in CASES:
        found = [(reference(each), certainty) for each, certainty in holds]
        threads[name_of(target)] = (reference(thing), kind, words, found)
    objects = {reference(thing): ([who], how) for thing, who, how in HOLDERS}
    objects[reference(future)] = (["worker_0"], "known")
    return threads, objects


def kind_of(detail):
    return ", recursive" if detail.get("recursive") == "yes" else ""


def read():
    found, _, _, things = stackreader_module.read()
    names = {each["id"]: each["name"] for each in found}
    threads = {}
    for each in found:
        holds = [(thing, CERTAINTIES[how]) for thing, how, *_ in each["holds"] or ()]
        thing, kind, _, _, words = each["waits"] or (None,) * 5
        threads[each["name"]] = (thing, kind, words, holds)
    objects = {
        thing: ([names.get(each) for each in holders], STATUSES[status] + kind_of(detail))
        for thing, (_, _, _, holders, status, detail) in things.items()
    }
    return threads, objects


def different():
    threads, objects = expected()
    found, things = read()
    return [
        f"{name}: {found.get(name)} is not {value}"
        for name, value in threads.items()
        if found.get(name) != value
    ] + [
        f"{name}: {things.get(name)} is not {value}"
        for name, value in objects.items()
        if things.get(name) != value
    ]


def main():
    global holder, future, finished
    if sys.argv[1:] == ["traced"]:
        threading.settrace(lambda *_: lambda *_: None)
    holder = start(hold)
    for target in HOLDS:
        start(target)
    until = time.monotonic() + DEADLINE
    while not all(thing.locked() for thing, who, _ in HOLDERS if type(thing) is type(plain)):
        time.sleep(0.001)
    for pipe in (of_file, of_text):  # the threads write, so they hold the locks
        select.select([pipe], [], [])
    start(call_perhaps)
    shared.acquire()
    finished = executor.submit(int)
    future = executor.submit(done.wait)
    for target, *_ in CASES:
        start(target)
    for target in (wait_for_result, wait_for_all, wait_for_one):
        start(target)
    start(join)
    # The next thread that starts may get the ident of the one that has ended, and own its locks.
    start(acquire_and_end).join()
    has_ended.set()
    while (wrong := different()) and time.monotonic() < until:
        time.sleep(0.01)
    print(json.dumps({"compared": len(expected()[0]), "different": wrong}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
