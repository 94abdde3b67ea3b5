# SPDX-License-Identifier: BSD-3-Clause
"""Steps: what a client does with `counted.py` while calls of the server fail.

A step checks each result that it gets. No step makes the program compile code: the compiler of
CPython 3.11 frees memory twice if an allocation fails.
"""

from __future__ import annotations

from collections.abc import Callable

from faults import Bearing, Gone, Refused, own_object
from rawpeer import LOCAL_REF, TUPLE, VALUE, Handler, Ref, box

Step = Callable[[Bearing], None]

STEPS: list[Step] = []


def step(function: Step) -> Step:
    """Makes the function a step."""
    STEPS.append(function)
    return function


def take(client: Bearing, step: Step) -> str | None:
    """Runs a step. Returns None if it finished, else what happened instead."""
    try:
        step(client)
    except Refused as error:
        return str(error)
    except Gone:
        return "gone"
    return None


def fails_with(client: Bearing, name: str, handler: int, *arguments: object) -> None:
    """Checks that this exception answers a request."""
    try:
        client.value(handler, *arguments)
    except Refused as error:
        if str(error) != name:
            raise
    else:
        raise AssertionError(f"no {name}")


#: Values of all types; some are long.
VALUES = (
    *(None, True, 5, 2**40, 10**300, 1.5, 1j, "plain", "gr\xfc\xdf", b"123", "y" * 5000),
    *((1, ("a", (b"b",))), frozenset({1, "a"}), slice(1, "b", (3,)), Ellipsis, NotImplemented),
)


@step
def says_hello(client: Bearing) -> None:
    assert client.works()
    client.root()


@step
def sends_values(client: Bearing) -> None:
    thing = client.call("Thing")
    assert client.value(Handler.CALL, thing, VALUES, ()) == (VALUES, ())


@step
def uses_attributes(client: Bearing) -> None:
    thing = client.call("Thing", 1)
    assert client.value(Handler.SETATTR, thing, "own", "mine") is None
    assert client.value(Handler.GETATTR, thing, "own") == "mine"
    assert client.value(Handler.GETATTR, thing, b"shared") == 1
    assert client.value(Handler.DELATTR, thing, "own") is None
    fails_with(client, "AttributeError", Handler.GETATTR, thing, "own")
    guarded = client.call("Guarded")
    assert client.value(Handler.GETATTR, guarded, "yes")[1] == "yes"
    fails_with(client, "AttributeError", Handler.GETATTR, guarded, "no")


@step
def calls(client: Bearing) -> None:
    thing = client.call("Thing")
    pairs = (("k", "v"), ("other", (3,)))
    assert client.value(Handler.CALL, thing, (1, "a"), pairs) == ((1, "a"), pairs)
    assert client.value(Handler.CALLATTR, thing, "me", ()) == thing
    assert client.value(Handler.DEL, thing, 1) is None


@step
def asks_about_objects(client: Bearing) -> None:
    thing = client.call("Thing")
    assert "Thing" in client.value(Handler.REPR, thing)
    assert "Thing" in client.value(Handler.STR, thing)
    assert client.value(Handler.HASH, thing) == 4711
    assert "me" in client.value(Handler.DIR, thing)
    assert client.value(Handler.CMP, thing, 5, "__eq__") is True
    assert "me" in dict(client.value(Handler.INSPECT, thing.id_pack))
    client.value(Handler.INSPECT, client.module("json").id_pack)
    cls = client.value(Handler.GETATTR, thing, "__class__")
    assert client.value(Handler.INSTANCECHECK, cls, ("builtins.list", 1, 2)) is False
    assert client.value(Handler.INSTANCECHECK, cls, thing.id_pack) is True


@step
def iterates(client: Bearing) -> None:
    items = client.value(Handler.BUFFITER, client.call("generate", 5), 10)
    assert [item[0] for item in items] == [0, 1, 2, 3, 4]
    fails_with(client, "LookupError", Handler.BUFFITER, client.call("generate", 2, True), 10)
    request = (client.call("Thing"), "__getitem__", "__getslice__", 1, 5, ())
    assert client.value(Handler.OLDSLICING, *request) == (1, 5)


@step
def enters_and_exits(client: Bearing) -> None:
    manager = client.call("Manager", "swallowed")
    assert client.value(Handler.CTXEXIT, manager, None) == "swallowed"
    assert client.value(Handler.CTXEXIT, manager, 5) == "swallowed"
    assert client.value(Handler.PICKLE, client.call("Guarded"), 2).startswith(b"\x80")


@step
def fails(client: Bearing) -> None:
    thing = client.call("Thing")
    fails_with(client, "LookupError", Handler.CALLATTR, thing, "fail", (5, "gr\xfc\xdf", thing))
    fails_with(client, "RuntimeError", Handler.REPR, client.call("Broken"))
    fails_with(client, "TypeError", Handler.CALL, thing, 5, ())
    fails_with(client, "KeyError", Handler.GETATTR, Ref(("builtins.list", 1, 2)), "name")
    fails_with(client, "KeyError", 99, thing)


#: What `attempt` returns if there was no memory for the result.
NO_MEMORY = ("MemoryError", ())


@step
def passes_objects(client: Bearing) -> None:
    """Passes objects of the client, which the server uses, keeps and releases."""
    call = client.value(Handler.GETATTR, client.module("__main__"), "attempt")
    one, other = own_object(1), own_object(2)
    arguments = box(call), (TUPLE, (one,)), box(())
    assert client.request_boxed(Handler.CALL, *arguments) in (7, NO_MEMORY)
    arguments = box(call), (TUPLE, (one, other)), box(())
    told = client.request_boxed(Handler.CALL, *arguments)
    assert told in (("KeyError", ("given",)), NO_MEMORY)
    thing = client.call("Thing")
    kept = (LOCAL_REF, thing.id_pack), (VALUE, "kept"), other
    assert client.request_boxed(Handler.SETATTR, *kept) is None
    assert client.value(Handler.DELATTR, thing, "kept") is None


@step
def passes_objects_to_threads(client: Bearing) -> None:
    call = client.value(Handler.GETATTR, client.module("__main__"), "in_thread")
    arguments = box(call), (TUPLE, (own_object(3),)), box(())
    assert client.request_boxed(Handler.CALL, *arguments) in (7, NO_MEMORY)


#: Steps in which the module threading starts a thread. If memory is missing, threading may not
#: release its locks.
IN_THREADS = [passes_objects_to_threads]


@step
def looks_at_stacks(client: Bearing) -> None:
    probe = client.module("pystuck.thread_probe")
    assert "counted.py" in client.value(Handler.CALLATTR, probe, "stacks_repr", ())


@step
def uses_its_connection(client: Bearing) -> None:
    connection = client.value(Handler.CALLATTR, client.root(), "getconn", ())
    assert client.value(Handler.GETATTR, connection, "closed") is False
    assert client.value(Handler.CALLATTR, connection, "ping", ("data",)) is None
