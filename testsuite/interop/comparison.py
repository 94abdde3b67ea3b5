# SPDX-License-Identifier: BSD-3-Clause
"""Records what a server answers to a stock client. test_comparison.py runs it with both servers.

Argument: the port. Makes all requests that compared.py lists and prints the results as JSON. Does
not check them: the test compares the results of the two servers.
"""

from __future__ import annotations

import io
import json
import operator
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rpyc
from compared import OBJECTS, OPERATIONS, RAISING
from rpyc.core import consts
from rpyc.core.netref import BaseNetref
from rpyc.utils.helpers import buffiter

#: The server executes this first.
SETUP = Path(__file__).with_name("compared_objects.py").read_text()

#: More names that the operations use.
USED = {"buffiter": buffiter, "pickle": pickle}


class Here:
    """An object of this client."""

    def __init__(self) -> None:
        self.n = 5

    def method(self, *args: Any, **kwargs: Any) -> Any:
        """Does something.

        Indented.
        """
        return args, tuple(sorted(kwargs.items()))

    def __repr__(self) -> str:
        return "repr here"

    def __str__(self) -> str:
        return "str here"

    def __hash__(self) -> int:
        return 4711

    def __eq__(self, other: object) -> bool:
        return other == 5

    def __lt__(self, other: object) -> bool:
        return other == 5

    def __bool__(self) -> bool:
        return False

    def __int__(self) -> int:
        return 7

    def __float__(self) -> float:
        return 7.5

    def __index__(self) -> int:
        return 8

    def __format__(self, spec: str) -> str:
        return "format " + spec

    def __neg__(self) -> str:
        return "neg"

    def __add__(self, other: Any) -> Any:
        return "add", other

    def __radd__(self, other: Any) -> Any:
        return "radd", other

    def __getitem__(self, i: Any) -> Any:
        return i


class ListHere(list):
    """A class of this client that derives from list."""


class HereError(ValueError):
    """An exception that the server does not know."""

    def __init__(self, text: str, more: object) -> None:
        super().__init__(text)
        self.more = more


def fail(error: BaseException) -> None:
    """Raises the exception."""
    raise error


def x_of(x: int, y: int) -> int:
    """Returns x of the first of two objects."""
    return x


def enter(manager: Any) -> Any:
    """Calls what `with` calls first."""
    return type(manager).__enter__(manager)


def leave(manager: Any, cls: Any) -> Any:
    """Calls what `with` calls last."""
    return type(manager).__exit__(manager, cls, None, None)


def with_nothing(manager: Any) -> Any:
    """Returns what a context manager gives, and what its __exit__ gets without an exception."""
    with manager as entered:
        pass
    return shown(entered), shown(getattr(manager, "seen", None))


def with_error(manager: Any, error: BaseException) -> Any:
    """Returns what happens to an exception in the body of `with`."""
    try:
        with manager:
            raise error
    except BaseException as caught:
        return caught is error, shown_error(caught)
    return "swallowed"


# ---- Showing -------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Returns the text without the parts that differ between processes."""
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"\b\d{9,}\b", "N", text)
    text = re.sub(r"\bconn\d+", "conn", text)
    return re.sub(r"line \d+", "line N", text)


def shown(value: Any) -> Any:
    """Returns the parts of a value that are compared, for JSON."""
    if issubclass(type(value), BaseNetref):
        return ["netref", type(value).__name__, value.____id_pack__[0], value.____id_pack__[2] == 0]
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *map(shown, value)]
    if isinstance(value, type):
        return ["class", value.__module__, value.__name__]
    return [type(value).__name__, plain(repr(value))]


def end_of(traceback: str) -> str:
    """Returns the message at the end of a traceback, without the class: stock derives another
    class."""
    return traceback.rstrip().rpartition("\n")[2].partition(": ")[2]


def shown_error(error: BaseException) -> Any:
    """Returns the parts of an exception that are compared."""
    first, *remote = re.split(r"\n\n=+ Remote Traceback (\(\d+\)) =+\n", str(error))
    names = [
        name
        for name in dir(error)
        if not name.startswith("_") and name not in ("args", "with_traceback")
    ]
    return {
        "class": [type(error).__module__, type(error).__name__],
        "bases": [cls.__name__ for cls in type(error).__mro__[1:]],
        "args": shown(error.args),
        "attributes": {name: shown(getattr(error, name, "unset")) for name in names},
        "str": plain(first),
        "repr begins as str": repr(error)[:20] == str(error)[:20],
        "remote": remote[::2],
        "frames": [re.findall(r'"<string>", line \d+, in (\w+)', text) for text in remote[1::2]],
        "ends": [plain(end_of(text)) for text in remote[1::2]],
    }


def outcome(function: Callable[[], Any]) -> Any:
    """Returns what a function returns or raises."""
    try:
        return shown(function())
    except BaseException as error:
        return shown_error(error)


def everything(c: Any, text: str) -> dict[str, Any]:
    """Yields everything that can be asked about an object of the server."""
    try:
        x = c.eval(text)
    except Exception as error:
        return {"error": shown_error(error)}
    if not issubclass(type(x), BaseNetref):
        return {"value": shown(x)}
    c.namespace["x"] = x
    asked: dict[str, Callable[[], Any]] = {
        "type": lambda: type(x).__name__,
        "type's module": lambda: type(x).__module__,
        "class": lambda: x.__class__,
        "is a": lambda: [
            cls.__name__
            for cls in (object, type, list, dict, int, str, tuple, Exception)
            if isinstance(x, cls)
        ],
        "name": lambda: x.____id_pack__[0],
        "of a class": lambda: x.____id_pack__[2] == 0,
        "class id": lambda: x.____id_pack__[1] == c.eval("id(type(x))"),
        "own id": lambda: c.eval("id(x)") in x.____id_pack__[1:],
        "repr": lambda: repr(x),
        "str": lambda: str(x),
        "hash": lambda: hash(x) == c.eval("hash(x)"),
        "dir": lambda: dir(x),
        "doc": lambda: x.__doc__,
        "callable": lambda: callable(x),
        "bool": lambda: bool(x),
        "length": lambda: len(x),
        "iterable": lambda: iter(x) is not None,
        "equal": lambda: x == x,
        "less": lambda: x < x,
        "same": lambda: c.eval("lambda y: y is x")(x),
        "pickle": lambda: req_of(c)(consts.HANDLE_PICKLE, x, 2),
        "methods": lambda: sorted(
            req_of(c)(consts.HANDLE_INSPECT, x.____id_pack__), key=operator.itemgetter(0)
        ),
        "local": lambda: sorted(name for name in type(x).__dict__ if name != "__class__"),
    }
    return {name: outcome(function) for name, function in asked.items()}


def req_of(c: Any) -> Callable[..., Any]:
    """Sends a request."""
    return lambda handler, *args: c.sync_request(handler, *args)


def connect(port: int) -> Any:
    """Returns a connection with the names defined."""
    c = rpyc.classic.connect("127.0.0.1", port)
    c._config["sync_request_timeout"] = 2
    c.namespace["__name__"] = "elsewhere"
    c.execute(SETUP)
    return c


def works(c: Any) -> bool:
    """Returns True if the server still answers."""
    try:
        return c.eval("1 + 1") == 2
    except (EOFError, TimeoutError):
        return False


def main() -> None:
    """Does everything and prints the results."""
    port = int(sys.argv[1])
    names = globals() | USED | {"HERE": Here(), "PRINTED": io.StringIO()}
    found: dict[str, Any] = {}
    tasks: dict[str, Callable[[Any], Any]] = {}
    for text in OBJECTS:
        tasks["object " + text] = lambda c, text=text: everything(c, text)
    for text in OPERATIONS:
        tasks[text] = lambda c, text=text: outcome(lambda: eval(text, names))
    for text in RAISING:
        tasks["raising " + text] = lambda c, text=text: outcome(lambda: c.execute(text))
    c = None
    for name, do in tasks.items():
        if c is None:
            c = names["c"] = connect(port)
            names["req"] = req_of(c)
        found[name] = do(c)
        if not works(c):
            c, found[name] = None, "the connection is lost"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
