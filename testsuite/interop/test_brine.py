# SPDX-License-Identifier: BSD-3-Clause
"""Brine of librpyc and of stock rpyc: each reads what the other writes.

``brine_echo`` (testsuite/unit/brine_echo.c) reads a value as brine and writes it again.
"""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faults import SLOW
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rpyc.core import brine

EPROTOCOL = 4
ELIMIT = 5
DIGITS_MAX = 4300  # CPython converts ints up to this length to str and back

Echo = Callable[[bytes], "tuple[int, bytes]"]

checked = settings(
    max_examples=300 if SLOW else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    """Passes one value through brine_echo. Returns its status, and the bytes or the error text."""
    program = os.environ.get("BRINE_ECHO")
    if not program:
        pytest.fail("BRINE_ECHO does not say where brine_echo is")
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    requests, replies = process.stdin, process.stdout

    def once(data: bytes) -> tuple[int, bytes]:
        requests.write(struct.pack("!L", len(data)) + data)
        requests.flush()
        head = replies.read(5)
        assert len(head) == 5, f"brine_echo ended over {data.hex()}"
        status, length = struct.unpack("!BL", head)
        return status, replies.read(length)

    yield once
    requests.close()
    try:
        assert process.wait(30) == 0
        assert replies.read() == b""
    finally:
        process.kill()
        process.wait()
        replies.close()


def exact(value: Any) -> Any:
    """Returns the exact identity of a value, as == cannot: NaN, -0.0, and 1 == True."""
    kind = type(value).__name__
    if isinstance(value, (float, complex)):
        number = complex(value)
        return kind, struct.pack("!dd", number.real, number.imag)
    if isinstance(value, slice):
        return kind, exact((value.start, value.stop, value.step))
    if isinstance(value, tuple):
        return kind, *map(exact, value)
    if isinstance(value, frozenset):
        return kind, *sorted(map(exact, value), key=repr)
    return kind, value


def same(a: Any, b: Any) -> bool:
    """Returns True if two values are exactly equal."""
    return bool(exact(a) == exact(b))


def hashable(value: Any) -> bool:
    """Returns True if a value can be in a frozenset: slices can only from Python 3.12 on."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def int_of_digits(count: int, negative: bool) -> int:
    """Returns an int with this many digits, none of which is zero."""
    digits = ("1234567899" * (count // 10 + 1))[:count]
    return int("-" + digits if negative else digits)


edges = [-49, -48, 0, 159, 160, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64]
ints = (
    st.integers()
    | st.sampled_from(edges)
    | st.builds(int_of_digits, st.integers(1, DIGITS_MAX), st.booleans())
)
floats = st.floats() | st.sampled_from([-0.0, math.inf, -math.inf, math.nan, 5e-324])
scalars = (
    st.none()
    | st.booleans()
    | ints
    | floats
    | st.complex_numbers(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.text(st.characters(min_codepoint=0x10000), max_size=20)
    | st.binary(max_size=300)
    | st.sampled_from([Ellipsis, NotImplemented])
)


@st.composite
def containers(draw: st.DrawFn, items: st.SearchStrategy[Any]) -> Any:
    """A tuple, frozenset or slice of these items."""
    kind = draw(st.sampled_from([tuple, frozenset, slice]))
    if kind is slice:
        return slice(draw(items), draw(items), draw(items))
    content = draw(st.lists(items, max_size=6))
    return tuple(content) if kind is tuple else frozenset(filter(hashable, content))


values = st.recursive(scalars, containers, max_leaves=25)


def assert_comes_back(echo: Echo, value: Any) -> None:
    """Checks both directions: librpyc reads what stock dumps and writes the same bytes."""
    dumped = brine.dump(value)
    status, out = echo(dumped)
    assert status == 0, out
    assert out == dumped
    assert same(brine.load(out), value)


@checked
@given(values)
@example(("he", 7, "llo", 8, (), 900, None, True, Ellipsis, 18.2, 18.2j + 13, slice(1, 2, 3)))
@example((frozenset([5, 6, 7]), NotImplemented, frozenset(), frozenset([frozenset()])))
def test_any_value_comes_back_from_us_as_stock_dumped_it(echo: Echo, value: Any) -> None:
    assert_comes_back(echo, value)


@pytest.mark.parametrize("value", [*range(-60, 200), *edges, *(-n for n in edges)])
def test_ints_at_every_edge_come_back(echo: Echo, value: int) -> None:
    assert_comes_back(echo, value)


@pytest.mark.parametrize("digits", [1, 18, 19, 20, 253, 254, 255, 256, 257, 4299, 4300])
def test_ints_of_any_length_come_back(echo: Echo, digits: int) -> None:
    assert_comes_back(echo, int_of_digits(digits, negative=False))
    assert_comes_back(echo, int_of_digits(digits, negative=True))


@pytest.mark.parametrize("length", [*range(7), 254, 255, 256, 257, 65535, 65536])
def test_bytes_text_and_tuples_of_any_length_come_back(echo: Echo, length: int) -> None:
    assert_comes_back(echo, b"\xff" * length)
    assert_comes_back(echo, "x" * length)
    assert_comes_back(echo, "\U0001f40d" * (length // 4))
    assert_comes_back(echo, (None,) * length)
    assert_comes_back(echo, frozenset(range(length)))


def test_every_character_comes_back(echo: Echo) -> None:
    assert_comes_back(echo, "".join(map(chr, range(0xD800))))
    assert_comes_back(echo, "".join(map(chr, range(0xE000, sys.maxunicode + 1))))


def nested(depth: int) -> Any:
    """Returns None nested in this many tuples."""
    value: Any = None
    for _ in range(depth):
        value = (value,)
    return value


def test_a_depth_of_200_comes_back_and_201_is_beyond_the_limit(echo: Echo) -> None:
    status, out = echo(brine.dump(nested(200)))
    assert (status, out) == (0, brine.dump(nested(200)))
    assert echo(brine.dump(nested(201))) == (
        ELIMIT,
        b"a message was refused: it is nested deeper than max_depth (200)",
    )
    assert echo(b"\x10" * 100000 + b"\x00")[0] == ELIMIT


@pytest.mark.parametrize("text", ["eda080", "edbfbf", "61edb28062", "eda0bdedb08d"])
def test_surrogates_are_refused_as_stock_does(echo: Echo, text: str) -> None:
    dumped = brine.dump(bytes.fromhex(text))
    with pytest.raises(UnicodeDecodeError):
        brine.load(b"\x08" + dumped)
    assert echo(b"\x08" + dumped) == (EPROTOCOL, b"a str that is not UTF-8")


@checked
@given(st.binary(max_size=12))
def test_text_is_utf_8_where_python_takes_it_for_that(echo: Echo, text: bytes) -> None:
    try:
        text.decode("utf-8")
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert (echo(b"\x08" + brine.dump(text))[0] == 0) == valid


# Starts with tags, so that the rest is sometimes read as more than one value.
tags = st.sampled_from(range(0x20)) | st.integers(0, 255)
tagged = st.lists(tags.map(lambda tag: bytes([tag])) | st.binary(max_size=4), max_size=40)


def assert_no_disagreement(echo: Echo, data: bytes) -> None:
    """Checks that stock accepts whatever librpyc accepts, with the same value."""
    status, out = echo(data)
    if status != 0:
        assert status in (EPROTOCOL, ELIMIT)
        assert out
        return
    if b"\x09" in data:
        return  # perhaps a long of Python 2, which stock no longer reads
    try:
        value = brine.load(data)
    except TypeError as error:
        # librpyc does not check that the items of a frozenset are hashable
        if "unhashable" not in str(error):
            raise
        return
    assert same(brine.load(out), value)


@checked
@given(st.binary(max_size=60) | tagged.map(b"".join))
@example(b"")
@example(b"\x1a\x10\x19\x12\x00\x00\x00")
@example(b"\x16\x031_0")
@example(b"\x16\x02 1")
@example(b"\x17\x00\x00\x00\x03+07")
@example(b"\x15\xff\xff\xff\xff\x00")
def test_arbitrary_bytes_are_an_error_or_what_stock_says(echo: Echo, data: bytes) -> None:
    assert_no_disagreement(echo, data)


@checked
@given(values, st.data())
def test_a_flipped_byte_is_an_error_or_what_stock_says(
    echo: Echo, value: Any, data: st.DataObject
) -> None:
    dumped = bytearray(brine.dump(value))
    dumped[data.draw(st.integers(0, len(dumped) - 1))] = data.draw(st.integers(0, 255))
    assert_no_disagreement(echo, bytes(dumped))


@checked
@given(values, st.data())
def test_every_truncation_is_an_error(echo: Echo, value: Any, data: st.DataObject) -> None:
    dumped = brine.dump(value)
    lengths = range(len(dumped))
    if len(lengths) > 40:
        lengths = data.draw(st.lists(st.sampled_from(lengths), min_size=1, max_size=40))
    for length in lengths:
        assert echo(dumped[:length])[0] == EPROTOCOL


@checked
@given(values, st.binary(min_size=1, max_size=4))
def test_bytes_behind_a_value_are_an_error(echo: Echo, value: Any, more: bytes) -> None:
    assert echo(brine.dump(value) + more) == (EPROTOCOL, b"bad brine: bytes after the value")


@checked
@given(ints)
def test_a_long_of_python_2_is_an_int(echo: Echo, value: int) -> None:
    assert echo(b"\x09" + brine.dump(value)) == (0, brine.dump(value))
