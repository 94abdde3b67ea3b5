# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: objects that live in the client's process, and callbacks."""

from __future__ import annotations

import threading
from typing import Any

import rpyc
from cases import PATIENCE, RELEASED_TWICE, case, connect, raises, wait_until


@case
def a_function_of_the_client_is_called_back(c: Any) -> None:
    assert c.eval("lambda f: f(21)*2")(lambda x: x) == 42
    keywords = c.eval("lambda f: f(1, *(2, 3), key='v', other=None)")
    assert keywords(lambda *a, **k: (a, tuple(sorted(k)))) == ((1, 2, 3), ("key", "other"))
    assert list(c.builtins.map(lambda n: n * 2, (1, 2, 3))) == [2, 4, 6]
    assert list(c.builtins.sorted((1, 2, 3), key=lambda n: -n)) == [3, 2, 1]


@case
def callbacks_call_back(c: Any) -> None:
    bounce = c.eval("lambda f, n: f(n)")

    def down(n: int) -> int:
        return n if n == 0 else 1 + bounce(down, n - 1)

    assert down(20) == 20


@case
def an_exception_in_a_callback_reaches_the_server(c: Any) -> None:
    c.execute(
        "def attempt(f):\n"
        "    try:\n"
        "        f()\n"
        "    except KeyError as error:\n"
        "        return ('caught', error.args)\n"
    )

    def fail() -> None:
        raise KeyError("from the client", 5)

    assert c.namespace["attempt"](fail) == ("caught", ("from the client", 5))
    with raises(KeyError) as caught:
        c.eval("lambda f: f()")(fail)
    assert caught.value.args == ("from the client", 5)

    def stop() -> None:
        raise StopIteration

    with raises(StopIteration):
        c.eval("lambda f: f()")(stop)


@case
def a_method_of_the_client_is_called_without_waiting_for_the_kernel(c: Any) -> None:
    """After each call the server releases the bound method by DEL. The client then sends two
    replies in a row, and its kernel may delay the second one by up to 40 ms, until the first is
    acknowledged.
    """
    c.execute("def call(thing):\n    for n in range(400): thing.method(n)\n")
    c.namespace["call"](Thing())


@case
def containers_of_the_client_work_on_the_server(c: Any) -> None:
    numbers = [3, 1, 2]
    assert c.builtins.sum(numbers) == 6
    assert c.builtins.sorted(numbers)[0] == 1
    assert c.eval("lambda l: [x * 2 for x in l]")(numbers)[2] == 4
    assert c.eval("lambda l: (len(l), l[0], l[-1], 2 in l, 9 in l)")(numbers) == (
        (3, 3, 2, True, False)
    )
    c.eval("lambda l: l.append([4])")(numbers)
    assert numbers[3][0] == 4
    c.execute("def change(l):\n    l[0] = 'changed'\n    del l[1]\n")
    c.namespace["change"](numbers)
    assert numbers[:2] == ["changed", 2]

    mapping: dict[Any, Any] = {"a": 1}
    assert c.eval("lambda d: (d['a'], sorted(d), d.get('z'))")(mapping)[0] == 1
    assert c.eval("lambda d: tuple(dict(d).items())")(mapping) == (("a", 1),)
    assert c.eval("lambda d: tuple({**d}.items())")(mapping) == (("a", 1),)
    assert c.eval("lambda s: '%s' % (3 in s)")({3}) == "True"
    assert c.eval("lambda d: repr(d) + str(d)")(mapping) == "{'a': 1}{'a': 1}"
    with raises(KeyError):
        c.eval("lambda d: d['zzz']")(mapping)


@case
def containers_of_the_client_are_instances_of_their_class(c: Any) -> None:
    check = c.eval("lambda o, name: isinstance(o, getattr(__import__('builtins'), name))")
    assert check([], "list") is True
    assert check({}, "dict") is True
    assert check({}, "list") is False
    assert c.eval("lambda o: o.__class__ is dict")({}) is True


@case
def an_iterator_of_the_client_is_iterated_on_the_server(c: Any) -> None:
    assert list(c.builtins.list(n * n for n in range(5))) == [0, 1, 4, 9, 16]
    assert c.builtins.tuple(iter([1, 2])) == (1, 2)
    assert c.builtins.max(iter("hello")) == "o"


class Thing:
    """An object of the client with an attribute or method for each operation of the server."""

    def __init__(self) -> None:
        self.text = "mine"
        self.entered: list[Any] = []

    def method(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        return args, tuple(kwargs.items())

    def __enter__(self) -> str:
        self.entered.append("enter")
        return "entered"

    def __exit__(self, *error: object) -> bool:
        self.entered.append(error[0])
        return True

    def __repr__(self) -> str:
        return "repr \N{SNOWMAN}"

    def __str__(self) -> str:
        return "str"

    def __hash__(self) -> int:
        return 4711

    def __eq__(self, other: object) -> bool:
        return other == "equal" or other is self

    def __lt__(self, other: object) -> bool:
        return other == "more"

    def __add__(self, other: Any) -> Any:
        return ("sum", other)

    def __bool__(self) -> bool:
        return False

    def __call__(self, x: Any) -> Any:
        return ("called", x)


@case
def an_object_of_the_client_works_on_the_server(c: Any) -> None:
    thing = Thing()
    c.namespace["thing"] = thing
    assert c.eval("thing.text") == "mine"
    c.execute("thing.text = 'theirs'")
    assert thing.text == "theirs"
    c.execute("thing.extra = [1]")
    assert thing.extra[0] == 1  # type: ignore[attr-defined]
    c.execute("del thing.extra")
    assert not hasattr(thing, "extra")
    assert c.eval("hasattr(thing, 'nope')") is False
    assert c.eval("thing.method(1, k=2)") == ((1,), (("k", 2),))
    assert c.eval("thing('x')") == ("called", "x")
    assert c.eval("repr(thing)") == "repr \N{SNOWMAN}"
    assert c.eval("str(thing) + f'{thing}'").startswith("str")
    assert c.eval("hash(thing)") == 4711
    assert c.eval("{thing: 1}[thing]") == 1
    assert c.eval("(thing == 'equal', thing != 'equal', thing == 'x')") == (True, False, False)
    assert c.eval("(thing < 'more', thing < 'less')") == (True, False)
    assert c.eval("thing + 5") == ("sum", 5)
    assert c.eval("bool(thing)") is False
    assert "method" in c.eval("tuple(dir(thing))")
    assert c.eval("callable(thing)") is True
    c.execute("with thing as inside:\n    assert inside == 'entered'\n")
    assert thing.entered == ["enter", None]


@case
def a_request_can_wait_for_a_thread_that_calls_the_client(c: Any) -> None:
    c.execute(
        "import threading\n"
        "def call(f):\n"
        "    results = []\n"
        "    def run(n):\n"
        "        results.append(f(n))\n"
        "    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    return tuple(sorted(results))\n"
    )
    assert c.namespace["call"](lambda n: n * n) == (0, 1, 4, 9)


@case
def a_thread_of_the_debuggee_can_call_the_client_later(c: Any) -> None:
    c.execute(
        "import threading\n"
        "results, go = [], threading.Event()\n"
        "def run(f):\n"
        "    go.wait()\n"
        "    for n in range(5):\n"
        "        results.append(f(n))\n"
        "def start(f):\n"
        "    threading.Thread(target=run, args=(f,), daemon=True).start()\n"
    )
    c.namespace["start"](lambda n: n * n)
    c.eval("go.set()")
    wait_until(lambda: c.eval("len(results)") == 5, "the thread to have called")
    assert c.eval("tuple(results)") == (0, 1, 4, 9, 16)


@case
def a_thread_of_the_debuggee_outlives_the_client_that_it_calls(c: Any) -> None:
    other = connect()
    other.execute(
        "import threading, __main__\n"
        "__main__.answers, __main__.go = [], threading.Event()\n"
        "def run(f):\n"
        "    __main__.go.wait()\n"
        "    try:\n"
        "        f()\n"
        "    except BaseException as error:\n"
        "        __main__.answers.append((type(error).__name__, str(error)))\n"
        "def start(f):\n"
        "    threading.Thread(target=run, args=(f,), daemon=True).start()\n"
    )
    other.namespace["start"](lambda: None)
    c.execute("import __main__")
    other.close()
    c.eval("__main__.go.set()")
    wait_until(lambda: c.eval("len(__main__.answers)") == 1, "the thread to have failed")
    name, text = c.eval("__main__.answers[0]")
    assert name == "EOFError" or RELEASED_TWICE in text


@case
def requests_are_served_in_order(c: Any) -> None:
    c.execute("order = []")
    append = rpyc.async_(c.eval("order.append"))
    results = [append(n) for n in range(200)]
    for result in results:
        result.wait()
    assert c.eval("tuple(order)") == tuple(range(200))


@case
def several_threads_of_the_client_share_a_connection(c: Any) -> None:
    failures: list[BaseException] = []
    echo = c.eval("lambda f, n: f(n)")

    def work(number: int) -> None:
        try:
            for n in range(20):
                assert echo(lambda x: (x, number), n) == (n, number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures


@case
def a_request_is_served_while_the_one_of_another_thread_is_called_back(c: Any) -> None:
    called, done = threading.Event(), threading.Event()
    results: list[Any] = []

    def callback() -> str:
        called.set()
        return "in time" if done.wait(PATIENCE) else "too late"

    call = c.eval("lambda f: f()")
    first = threading.Thread(target=lambda: results.append(call(callback)))
    first.start()
    assert called.wait(PATIENCE)
    assert c.eval("1+1") == 2
    done.set()
    first.join(PATIENCE)
    assert results == ["in time"]


class TextFile:
    """A file that keeps the text that is written to it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@case
def a_file_of_the_client_can_be_stdout_for_a_while(c: Any) -> None:
    file = TextFile()
    c.execute("def say(file):\n    print('to the client', 1, file=file)\n")
    c.namespace["say"](file)
    assert file.text == "to the client 1\n"
