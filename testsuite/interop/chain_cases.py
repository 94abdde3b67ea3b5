# SPDX-License-Identifier: BSD-3-Clause
"""More cases for stock clients: two connections, and objects that pass from one to the other."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import rpyc
from cases import Differs, case, connect, is_netref, raises, wait_until


@contextlib.contextmanager
def serving(c: Any) -> Iterator[None]:
    """Serves a connection on another thread. No other thread may use the connection meanwhile."""
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            c.serve(0.01)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Shelf:
    """Passes objects of one client, the giver, through the server to another client, the taker."""

    def __init__(self, giver: Any, taker: Any) -> None:
        self.giver, self.taker = giver, taker
        self.serving = contextlib.ExitStack()
        name = f"shelf_of_{os.getpid()}"  # other clients may have a shelf at the same time
        giver.execute(
            "import types\n"
            "shelf = types.SimpleNamespace()\n"
            f"import __main__; __main__.{name} = shelf\n"
        )
        taker.execute(f"from __main__ import {name} as shelf")

    def put(self, thing: Any) -> None:
        """Stores an object of the giver in the server, and serves the giver's connection."""
        self.serving.close()
        self.giver.namespace["shelf"].thing = thing
        self.serving.enter_context(serving(self.giver))

    def pass_on(self, thing: Any) -> Any:
        """Stores an object of the giver, and returns it as the taker receives it."""
        self.put(thing)
        return self.taker.eval("shelf.thing")

    def close(self) -> None:
        """Removes the object from the server and closes the giver's connection."""
        self.serving.close()
        self.taker.execute("vars(shelf).clear()")
        self.giver.close()


@contextlib.contextmanager
def shelf(c: Any) -> Iterator[Shelf]:
    """Makes a shelf: the giver is a new connection, the taker is the connection of the case."""
    between = Shelf(connect(), c)
    try:
        yield between
    finally:
        between.close()


# ---- Two connections -----------------------------------------------------------------------------


@case
def objects_are_of_the_same_class_on_every_connection(c: Any) -> None:
    other = connect()
    try:
        c.execute("class Thing: pass\nimport __main__; __main__.Thing = Thing\n")
        one, two = c.eval("[]"), other.eval("[]")
        assert isinstance(one, list)
        assert isinstance(two, list)
        assert one.__class__ is two.__class__ is list
        assert isinstance(one, other.builtins.list)
        assert not isinstance(one, other.builtins.dict)
        one, two = c.eval("Thing()"), other.eval("__import__('__main__').Thing()")
        assert isinstance(one, c.namespace["Thing"])
        assert isinstance(two, c.namespace["Thing"])
        assert not isinstance(c.eval("object()"), other.eval("__import__('__main__').Thing"))
        assert type(one).__name__ == type(two).__name__
        assert one.____id_pack__[:2] == two.____id_pack__[:2]
    finally:
        other.close()


@case
def a_shared_object_is_another_netref_on_every_connection(c: Any) -> None:
    other = connect()
    try:
        c.execute("import __main__; __main__.shared = [1]")
        one, two = c.eval("__main__.shared"), other.eval("__import__('__main__').shared")
        assert one is not two
        assert one.____id_pack__ == two.____id_pack__
        two.append(2)
        assert list(one) == [1, 2]
    finally:
        c.execute("del __main__.shared")
        other.close()


@case
def an_object_of_one_connection_can_be_used_on_the_other(c: Any) -> None:
    other = connect()
    try:
        mine = c.eval("[1, 2, 3]")
        use = other.eval("lambda l: (len(l), l[0], 2 in l, isinstance(l, list), l is l)")
        with serving(c):
            assert use(mine) == (3, 1, True, True, True)
            assert other.eval("lambda l: l")(mine) is mine
    finally:
        other.close()


# ---- What one client gives to another ------------------------------------------------------------


class Given:
    """An object that the giver passes to the taker."""

    def __init__(self) -> None:
        self.n = 1

    def method(self, *args: Any, **kwargs: Any) -> Any:
        return self.n, args, tuple(sorted(kwargs.items()))

    def fail(self, text: str) -> None:
        raise LookupError(text, 5)

    def __enter__(self) -> str:
        return "entered"

    def __exit__(self, cls: Any, *more: Any) -> bool:
        self.n = cls is None
        return False

    def __call__(self, f: Any, x: Any) -> Any:
        return "called", f(x)


@case
def a_list_of_another_client_is_a_list(c: Any) -> None:
    with shelf(c) as between:
        mine = [1, "two", (3,)]
        theirs = between.pass_on(mine)
        assert is_netref(theirs)
        assert isinstance(theirs, list)
        assert theirs.__class__ is list
        assert len(theirs) == 3
        assert theirs[1:][0] == "two"
        assert list(theirs) == [1, "two", (3,)]
        assert "two" in theirs
        assert repr(theirs) == repr(mine)
        theirs.append((4, None))
        assert mine[3] == (4, None)
        with raises(IndexError):
            theirs[9]
        assert rpyc.classic.obtain(theirs) == mine


@case
def an_object_of_another_client_is_called_as_if_it_was_here(c: Any) -> None:
    with shelf(c) as between:
        mine = Given()
        theirs = between.pass_on(mine)
        assert theirs.method(1, k=2) == (1, (1,), (("k", 2),))
        assert theirs.n == 1
        theirs.n = 7
        assert mine.n == 7
        assert theirs(lambda x: x + 1, 1) == ("called", 2)
        assert "method" in dir(theirs)
        assert not hasattr(theirs, "nothing")
        assert between.pass_on(len)((1, 2, 3)) == 3
        assert between.pass_on(sorted)([3, 1, 2])[0] == 1


@case
def an_exception_of_another_client_keeps_its_class(c: Any) -> None:
    with shelf(c) as between:
        theirs = between.pass_on(Given())
        with raises(LookupError) as caught:
            theirs.fail("why")
        assert caught.value.args == ("why", 5)
        assert "in fail" in str(caught.value)
        assert "Remote Traceback (2)" in str(caught.value)
        with raises(AttributeError):
            theirs.nothing  # noqa: B018
        with raises(StopIteration):
            next(between.pass_on(iter(())))
        assert c.eval("1 + 1") == 2


@case
def classes_and_iterators_of_another_client_work(c: Any) -> None:
    with shelf(c) as between:
        cls = between.pass_on(Given)
        made = cls()
        assert made.n == 1
        assert cls.__name__ == "Given"
        assert list(between.pass_on(n * n for n in range(4))) == [0, 1, 4, 9]
        assert {**between.pass_on({"a": 1})} == {"a": 1}
        assert between.pass_on((1, [2]))[1][0] == 2


@case
def a_context_manager_of_another_client_is_told_of_the_exception(c: Any) -> None:
    with shelf(c) as between:
        mine = Given()
        theirs = between.pass_on(mine)
        with theirs as inside:
            assert inside == "entered"
        assert mine.n is True
        with raises(KeyError), theirs:
            raise KeyError(1)
        assert mine.n is False


@case
def an_object_of_another_client_lives_as_long_as_it_is_referenced(c: Any) -> None:
    with shelf(c) as between:
        mine = Given()
        alive = weakref.ref(mine)
        theirs = between.pass_on(mine)
        del mine
        c.execute("del shelf.thing")
        c.ping()
        gc.collect()
        assert alive() is not None
        assert theirs.n == 1
        del theirs

        def gone() -> bool:
            gc.collect()
            c.ping()
            between.put(None)
            return alive() is None

        wait_until(gone, "the object to be given back")


@case
def an_object_of_another_client_is_given_back_at_once(c: Any) -> None:
    with shelf(c) as between:
        mine = Given()
        alive = weakref.ref(mine)
        between.put(mine)
        del mine
        c.execute("del shelf.thing")
        gc.collect()
        wait_until(lambda: [c.ping(), alive()][1] is None, "the object to be given back")


@case
def what_a_request_drops_is_given_back_to_whichever_thread_serves(c: Any) -> None:
    mine = Given()
    alive = weakref.ref(mine)
    c.eval("lambda thing: None")(mine)
    del mine
    with serving(c):
        wait_until(lambda: [gc.collect(), alive()][1] is None, "the object to be given back")


@case(Differs("it tells any thread, now and then too early", server="*-bound", hangs=True))
def an_object_that_comes_back_is_known_to_the_thread_that_gets_it(c: Any) -> None:
    """The object returns with the reply. No other, faster thread may return it before. Without
    bind-threads a server cannot ensure this: a stock client reads messages in parallel."""
    give_back, failures = c.eval("lambda *things: things"), []

    def work() -> None:
        try:
            for n in range(200):
                assert give_back([n], n)[0] == [n]
        except BaseException as error:
            failures.append(repr(error))

    is_bound = getattr(c, "_bind_threads", False)
    threads = [threading.Thread(target=work) for _ in range(4 if is_bound else 1)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


@case
def an_object_of_a_client_that_is_gone_is_an_eof_error(c: Any) -> None:
    with shelf(c) as between:
        theirs = between.pass_on([1])
        assert len(theirs) == 1
    with raises(EOFError):
        len(theirs)
    assert c.eval("1 + 1") == 2


@case
def two_clients_pass_an_object_on_and_on(c: Any) -> None:
    with shelf(c) as between:
        thing = Given()
        for _ in range(3):
            thing = between.pass_on(thing)
        assert thing.method() == (1, (), ())
