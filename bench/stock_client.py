# SPDX-License-Identifier: BSD-3-Clause
"""A client of stock rpyc.

    stock_client.py PORT KIND

KIND is the name of a function below. Reads numbers from standard input, one a line. For each number
n calls the function n times and prints how many nanoseconds this took.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import rpyc

PORT = int(sys.argv[1])

#: The values that send() got.
VALUES: list[Any] = []


def connect_once() -> Any:
    return rpyc.classic.connect("127.0.0.1", PORT)


def connect(main: Any) -> None:
    """Connects until `modules` can be used."""
    connection = connect_once()
    assert connection.modules.sys.maxsize > 0
    connection.close()


def getattr_(main: Any) -> None:
    assert main.number == 42


def call(main: Any, function: list[Any] = []) -> None:  # noqa: B006
    if not function:
        function.append(main.function)
    assert function[0](1) == 2


def send(main: Any) -> None:
    """Gets a tuple of 3,000 plain values."""
    VALUES[:] = [main.values]


def take(main: Any) -> None:
    """Calls a function with them."""
    if not VALUES:
        send(main)
    assert main.take(VALUES[0]) == 500


def iterate(main: Any) -> None:
    """Iterates over a list of 2,000 items."""
    for _ in main.items:
        pass


def bytes_(main: Any) -> None:
    assert len(main.random_bytes) > 0


def text(main: Any) -> None:
    assert len(main.text) > 0


KINDS = {
    "connect": connect,
    "getattr": getattr_,
    "call": call,
    "send": send,
    "take": take,
    "iterate": iterate,
    "bytes": bytes_,
    "text": text,
}


def main() -> None:
    run = KINDS[sys.argv[2]]
    connection = None if run is connect else connect_once()
    namespace = connection and connection.modules["__main__"]
    print("ready", flush=True)
    for line in sys.stdin:
        count, start = int(line), time.perf_counter_ns()
        for _ in range(count):
            run(namespace)
        print(time.perf_counter_ns() - start, flush=True)


main()
