"""A program with two servers, for the classic service and for its own, which counts its objects.

Argument: the arguments of `run_server`, as JSON. They have a Unix socket; the second server adds
"-service" to its name. It prints the address, and continues after a line on stdin. The code above
`count` is for its clients, see rounds.py.
"""

import gc
import json
import sys
import threading

import pystuck


class Thing:
    """Has everything that objects can have."""

    shared = 1

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args, self.kwargs = args, kwargs

    def __call__(self, *args: object, **kwargs: object) -> object:
        return args, tuple(kwargs.items())

    def __eq__(self, other: object) -> bool:
        return other is self or other == 5

    def __hash__(self) -> int:
        return 4711

    def __getslice__(self, *args: object) -> object:
        return args

    def me(self) -> object:
        """Returns itself."""
        return self

    def fail(self, *args: object) -> None:
        error = LookupError(*args)
        error.thing, error.number = self, 5
        raise error


class Guarded:
    """Decides itself which attributes a client gets."""

    def __init__(self) -> None:
        self.kept = None

    def _rpyc_getattr(self, name: str) -> object:
        if name == "no":
            raise AttributeError("guarded")
        return self, name

    def _rpyc_setattr(self, name: str, value: object) -> None:
        self.kept = value

    def _rpyc_delattr(self, name: str) -> None:
        self.kept = None


class Broken:
    """An object for which every request fails."""

    def _fail(self, *args: object) -> None:
        raise RuntimeError("broken")

    __repr__ = __str__ = __hash__ = __eq__ = __dir__ = __reduce_ex__ = __iter__ = _fail
    attribute = property(_fail)


class Nameless:
    """An object that has no type name, and so cannot be sent."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("no class")


class Unprintable(ValueError):
    """An exception that cannot be converted to text."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    __repr__ = __str__

    @property
    def broken(self) -> object:
        raise RuntimeError("no attribute")


class Manager:
    """A context manager that swallows the exception or not."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __enter__(self) -> object:
        return self

    def __exit__(self, cls: object, value: object, traceback: object) -> object:
        if value is not None:
            assert isinstance(value, cls)
        return self.answer


class Service:
    """The service of the second server. It does not derive from rpyc.Service: the program
    has no rpyc."""

    def on_connect(self, conn: object) -> None:
        self.conn = conn

    def on_disconnect(self, conn: object) -> None:
        del self.conn

    def exposed_thing(self) -> Thing:
        return Thing(self)

    def exposed_call(self, function: object, *args: object) -> object:
        return function(*args)

    def exposed_ask_client(self) -> object:
        return self.conn.root.get_service_name()

    def hidden(self) -> None:
        raise AssertionError("this is out of reach")


def generate(count: int, fail: bool = False) -> object:
    for n in range(count):
        yield (n, [n])
    if fail:
        raise LookupError("no more")


def attempt(function: object, *args: object) -> object:
    """Returns the result of a call, or the name of the exception and its arguments."""
    try:
        return function(*args)
    except BaseException as error:
        return type(error).__name__, error.args


def in_thread(function: object, *args: object) -> object:
    """Returns the result of a call on another thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(attempt(function, *args)))
    thread.start()
    thread.join()
    return results[0]


def use(thing: object, others: object) -> None:
    """Does everything with an object of the client."""
    assert thing.text == "mine"
    assert attempt(lambda: thing.missing)[0] == "AttributeError"
    thing.extra = others
    assert thing.extra is others
    del thing.extra
    assert attempt(delattr, thing, "extra")[0] == "AttributeError"
    assert thing(1, k=[2]) == (1, "k")
    assert thing.method(*range(5), key=None) == (5, "key")
    assert type(thing).method(thing) == (0, "")
    assert repr(thing) == str(thing) == f"{thing}" == "a client's"
    assert hash(thing) == 4712
    assert thing == 6
    assert thing != 7
    assert thing < 8
    assert not thing > 8
    assert thing + 1 == 10
    assert len(thing) == 3
    assert thing[2][0] == 2
    thing["key"] = "value"
    del thing["key"]
    assert 5 in thing
    assert [*thing] == [1, 2]
    assert thing.__class__ is not None
    assert "method" in dir(thing)
    with thing as inside:
        assert inside is thing
    assert attempt(thing.fail) == ("KeyError", ("from the client",))
    assert attempt(thing.fail_oddly)[0].endswith("Odd")
    assert attempt(thing.stop) == ("StopIteration", ())
    assert attempt(getattr, others, "no_such_method")[0] == "AttributeError"
    assert isinstance(others, list)
    others.append(thing)
    assert others.pop() is thing


def count() -> tuple[int, int, int]:
    """Returns the number of references, of memory blocks, and of objects that the garbage collector
    knows.

    References are counted only in a debug build of Python.
    """
    for _ in range(4):  # __del__ and callbacks of weakrefs release more objects
        gc.collect()
    # The cache keeps references to names that were used recently.
    sys._clear_type_cache()
    references = getattr(sys, "gettotalrefcount", int)()
    return references, sys.getallocatedblocks(), len(gc.get_objects())


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    server = pystuck.run_server(**options)
    options["unix_socket"] += "-service"
    other = pystuck.run_server(**options, service_class_getter=lambda: Service)
    print(json.dumps({"unix_socket": server.unix_socket}), flush=True)
    sys.stdin.readline()
    print("went on", flush=True)
