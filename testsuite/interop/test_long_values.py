# SPDX-License-Identifier: BSD-3-Clause
"""Values of many bytes are sent and received while the program's threads run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import Debuggee, wait_until

#: Executed in the program: a thread of the program sees in `value_is_held` that a server's thread
#: holds one more reference to the value, which is only so while the value is converted.
WATCH = """
import sys, threading
value_is_held, ended = [], []
def watch():
    usual = sys.getrefcount(value)
    while not ended and not value_is_held:
        if sys.getrefcount(value) > usual:
            value_is_held.append(True)
watcher = threading.Thread(target=watch)
watcher.start()
"""

LENGTH = 1_000_000

#: Characters that take one to four bytes in UTF-8 and in a str. The long str has characters at the
#: ends of pieces in all positions.
ALPHABETS = {
    "ascii": "0123456789",
    "latin": "ab\xe4\xff",
    "two": "a\xe4\u20ac\u07ff",
    "four": "\U0001f40d\xe4a\u20ac\U0010ffff",
    "once": "a" * 300_001 + "\u20ac",
}


def long_text(alphabet: str) -> str:
    return ALPHABETS[alphabet] * (LENGTH // len(ALPHABETS[alphabet]))


@pytest.mark.parametrize(
    "value", ["b'\\0\\1\\2' * n", "'abc' * n", "'\\xe4bc' * n", "'\\u20acbc' * n"]
)
def test_threads_run_while_a_long_value_is_converted(
    ours: Debuggee, connect: Callable[[Debuggee], Any], value: str
) -> None:
    connection = connect(ours)
    connection.execute(f"n = 1_000_000\nvalue = {value}")
    connection.execute(WATCH)
    namespace = connection.namespace
    try:
        wait_until(
            lambda: len(namespace["value"]) == 3_000_000 and len(namespace["value_is_held"]) == 1,
            "a thread to run while the value is converted",
        )
    finally:
        connection.execute("ended.append(True); watcher.join(); del value")


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_long_str_stays_the_same(
    ours: Debuggee, connect: Callable[[Debuggee], Any], alphabet: str
) -> None:
    text = long_text(alphabet)
    connection = connect(ours)
    connection.namespace["text"] = text
    connection.namespace["parts"] = ALPHABETS[alphabet]
    assert connection.eval("text == parts * (len(text) // len(parts)) and len(text)") == len(text)
    assert connection.eval("text") == text
    # the narrowest kind of str: equality and hash depend on it
    same = "parts * (len(text) // len(parts))"
    assert connection.eval(f"text.__sizeof__() == ({same}).__sizeof__()")


def test_long_bytes_stay_the_same(ours: Debuggee, connect: Callable[[Debuggee], Any]) -> None:
    data = bytes(range(251)) * (LENGTH // 251)
    connection = connect(ours)
    connection.namespace["data"] = data
    assert connection.eval("data == bytes(range(251)) * (len(data) // 251) and len(data)") == len(
        data
    )
    assert connection.eval("data") == data


def test_a_long_str_with_a_lone_surrogate_is_an_error(
    ours: Debuggee, connect: Callable[[Debuggee], Any]
) -> None:
    connection = connect(ours)
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        connection.eval("'\\xe4' * 400_000 + '\\udc80'")
    assert connection.eval("1 + 1") == 2
