"""A program with greenlets of all kinds in two threads, and pystuck's server.

Arguments: the arguments of `run_server`, as JSON. It prints the address of its server, and
continues after a line on stdin. Objects that must not be touched from outside record it in
`touched`.
"""

import json
import sys
import threading

import greenlet
import pystuck

held = threading.Event()
done = threading.Event()
touched = []


class Touchy(greenlet.greenlet):
    """A greenlet that records each access to __bool__ and gr_frame, which tell whether it lives."""

    def __bool__(self) -> bool:
        touched.append("__bool__")
        return False

    @property
    def gr_frame(self) -> object:
        touched.append("gr_frame")
        raise AttributeError


class Pretender:
    """An object whose __class__ is a greenlet's; records each access to it, as by isinstance()."""

    @property
    def __class__(self) -> type:
        touched.append("__class__")
        return greenlet.greenlet


class Nameless(greenlet.greenlet):
    """A greenlet whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


def suspended_in_main() -> None:
    greenlet.getcurrent().parent.switch()


def suspended_deeply(depth: int) -> None:
    if depth:
        suspended_deeply(depth - 1)
    else:
        greenlet.getcurrent().parent.switch()


def running_in_thread() -> None:
    held.set()
    sys.stdin.readline()


def work() -> None:
    greenlet.greenlet(running_in_thread).switch()
    done.set()


pretender = [Pretender()]
suspended = greenlet.greenlet(suspended_in_main)
suspended.switch()
deep = greenlet.greenlet(suspended_deeply)
deep.switch(3)
touchy = Touchy(suspended_in_main)
touchy.switch()
nameless = Nameless(suspended_in_main)
nameless.switch()
not_started = greenlet.greenlet(suspended_in_main)
ended = greenlet.greenlet(len)
ended.switch("")

options = json.loads(sys.argv[1])
server = pystuck.run_server(**options)
where = {"host": server.host, "port": server.port, "unix_socket": server.unix_socket}

threading.Thread(target=work, daemon=True).start()
held.wait()
print(json.dumps(where), flush=True)

done.wait()  # could block
print("went on", flush=True)
