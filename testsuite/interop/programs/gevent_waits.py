"""Greenlets of gevent that wait in all ways, each with the name of its function.

Argument: the path of the Unix socket of pystuck's server.
"""

import sys

import gevent
import gevent.monkey

gevent.monkey.patch_all()

import queue  # noqa: E402
import threading  # noqa: E402

import pystuck  # noqa: E402
from gevent.event import AsyncResult, Event  # noqa: E402
from gevent.lock import BoundedSemaphore, RLock  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from gevent.queue import Channel, JoinableQueue, Queue  # noqa: E402
from gevent.socket import socketpair  # noqa: E402

event, slots, rlock, result, channel = (
    Event(),
    BoundedSemaphore(1),
    RLock(),
    AsyncResult(),
    Channel(),
)
empty, full, joinable, pool = Queue(), Queue(1), JoinableQueue(), Pool(1)
full.put(1)
joinable.put(1)
pair = socketpair()
lock, std_rlock, condition = threading.Lock(), threading.RLock(), threading.Condition()
std_event, std_queue, barrier = threading.Event(), queue.Queue(), threading.Barrier(2)


def holder():
    with slots, rlock, lock, std_rlock:
        gevent.sleep(1000)


def wait_for_event():
    event.wait()


def wait_for_slot():
    with slots:
        pass


def wait_for_rlock():
    with rlock:
        pass


def wait_for_result():
    result.get(timeout=1000)


def get_item():
    empty.get()


def put_item():
    full.put(2)


def join_items():
    joinable.join()


def get_from_channel():
    channel.get()


def join_one():
    greenlets[1].join()


def join_some():
    gevent.joinall(greenlets[:5])


def wait_for_several():
    gevent.wait([event, result], timeout=1000)


def receive():
    pair[0].recv(1)


def use_pool():
    pool.spawn(gevent.sleep, 1000)
    pool.spawn(gevent.sleep, 1000)


def join_pool():
    pool.join()


def never():
    gevent.get_hub().switch()


class Observer(gevent.Greenlet):
    """Is told about the event, and does not wait for it."""

    def note(self, source):
        pass


def observe():
    event.rawlink(gevent.getcurrent().note)
    never()


def take_lock():
    with lock:
        pass


def take_std_rlock():
    with std_rlock:
        pass


def wait_for_condition():
    with condition:
        condition.wait()


def wait_for_std_event():
    std_event.wait()


def get_std_item():
    std_queue.get()


def wait_at_barrier():
    barrier.wait()


def join_thread():
    thread.join()


thread = threading.Thread(target=wait_for_event, name="thread", daemon=True)
thread.start()
greenlets = [
    Observer.spawn(function)
    for function in (
        holder,
        wait_for_event,
        wait_for_slot,
        wait_for_rlock,
        wait_for_result,
        get_item,
        put_item,
        join_items,
        get_from_channel,
        join_one,
        join_some,
        wait_for_several,
        receive,
        use_pool,
        join_pool,
        never,
        observe,
        take_lock,
        take_std_rlock,
        wait_for_condition,
        wait_for_std_event,
        get_std_item,
        wait_at_barrier,
        join_thread,
    )
]
for greenlet in greenlets:
    greenlet.name = greenlet._run.__name__
gevent.idle()  # now all greenlets wait, and no repr() of a thread can disturb its start
pystuck.run_server(unix_socket=sys.argv[1])
gevent.joinall(greenlets)
