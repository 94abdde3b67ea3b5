# SPDX-License-Identifier: BSD-3-Clause
"""Declares, runs and reports cases, for the modules *_cases.py.

A case is a function that uses a connection as users of stock rpyc do; its name is a sentence that
says what must be true. test_stock_clients.py runs the cases in processes of stock_client.py,
under every stock version, at our server and at stock's own servers. So this module and the cases
import nothing but rpyc and the standard library. `@case(Differs(...))` declares where a case fails.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gc
import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import rpyc
from rpyc.core.netref import BaseNetref

#: Seconds after which a request counts as lost. stock_client.py sets it.
PATIENCE = 8.0

CASES: dict[str, Callable[..., None]] = {}


class Differs(NamedTuple):
    """A combination of client and server with which a case fails, and the reason.

    `client` and `server` are patterns of names: rpyc4, rpyc5-bound, ours and so on. With `hangs`
    the case is not run there at all. `when` is False on a Python where the case does not fail.
    """

    why: str
    client: str = "*"
    server: str = "*"
    hangs: bool = False
    when: bool = True

    def concerns(self, client: str, server: str) -> bool:
        """Whether it applies to this client at this server."""
        names = fnmatch.fnmatch(client, self.client) and fnmatch.fnmatch(server, self.server)
        return names and self.when


#: Whether this Python refuses to convert ints of more than 4300 digits.
INTS_ARE_LIMITED = hasattr(sys, "get_int_max_str_digits")

#: For each case, the combinations with which it fails.
DIFFERENCES: dict[str, tuple[Differs, ...]] = {}

#: The address of the running case's server.
address: dict[str, Any] = {}


def case(*marks: Any) -> Any:
    """Declares a function as a case. It is called with a new connection.

    Used as `@case` or as `@case(Differs(...), ...)`.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        CASES[function.__name__] = function
        DIFFERENCES[function.__name__] = differences
        return function

    differences = () if callable(marks[0]) else marks
    return register if differences else register(marks[0])


def names_of(*modules: str) -> list[str]:
    """Imports modules, and returns the names of the cases that they define."""
    for module in modules:
        importlib.import_module(module)
    return [name for name, function in CASES.items() if function.__module__ in modules]


def connect() -> Any:
    """Returns a new connection to the server of the running case."""
    if address["unix_socket"]:
        connection = rpyc.classic.unix_connect(address["unix_socket"])
    else:
        ipv6 = ":" in address["host"]
        connection = rpyc.classic.connect(address["host"], address["port"], ipv6=ipv6)
    connection._config["sync_request_timeout"] = PATIENCE
    return connection


class Caught:
    """Holds the exception that `raises` caught."""

    value: BaseException


@contextlib.contextmanager
def raises(cls: type[BaseException]) -> Iterator[Caught]:
    """Checks that the block raises `cls`, and keeps the exception."""
    caught = Caught()
    try:
        yield caught
    except cls as error:
        caught.value = error
    else:
        raise AssertionError(f"{cls.__name__} was not raised")


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Polls `condition` until it is true. Fails after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.005)


def is_netref(value: Any) -> bool:
    """Whether `value` is a netref, whatever its __class__ is."""
    return issubclass(type(value), BaseNetref)


#: What a stock server raises if one of its threads reads the end of the connection while another
#: thread sends.
RELEASED_TWICE = "release unlocked lock"

#: Cases that run until their process is killed.
ENDLESS = {"wait_forever_in_a_callback"}


def describe(error: BaseException) -> str:
    """Returns the traceback, and the local variables of the case except netrefs."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in CASES:
            shown = {n: v for n, v in frame.f_locals.items() if n != "c" and not is_netref(v)}
            text += "".join(f"    {name} = {value!r:.200}\n" for name, value in shown.items())
    return text


def main() -> None:
    """Runs one case for each line of stdin, `{"case": name, "address": ...}`.

    Prints the version of rpyc first, then for each case `{"failure": ...}`: its text, or null.
    """
    print(".".join(map(str, rpyc.version.version)), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        address.clear()
        address.update(task["address"])
        failure = None
        try:
            connection = connect()
            try:
                CASES[task["case"]](connection)
            finally:
                connection.close()
        except BaseException as error:
            failure = describe(error)
        gc.collect()
        print(json.dumps({"failure": failure}), flush=True)
