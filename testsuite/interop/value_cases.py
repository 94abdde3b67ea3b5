# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: values that are sent as they are, in both directions."""

from __future__ import annotations

import math
from typing import Any

from cases import INTS_ARE_LIMITED, Differs, case, is_netref, raises

VALUES = [
    None,
    True,
    False,
    0,
    -48,
    -49,
    159,
    160,
    2**31,
    -(2**31),
    2**63 - 1,
    -(2**63),
    2**64,
    10**300,
    -(10**254),
    10**4200,
    -(10**4200),
    0.0,
    1.5,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "plain",
    "gr\xfc\xdf \N{SNOWMAN} \N{GRINNING FACE} \0 end",
    "x" * 300,
    "\N{SNOWMAN}" * 70_000,
    b"",
    b"\0",
    b"12",
    b"123",
    b"1234",
    b"12345",
    bytes(range(256)),
    b"z" * 70_000,
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    (1, 2, 3, 4, 5),
    tuple(range(256)),
    tuple(range(70_000)),
    ((((), "a"), b"b"), (None, (1.5, (2j,)))),
    frozenset(),
    frozenset({1, "a", (2, 3)}),
    slice(None),
    slice(1, "b", (3,)),
    1j,
    complex(-1.5, math.inf),
    Ellipsis,
    NotImplemented,
]


@case
def values_come_back_as_they_went(c: Any) -> None:
    echo = c.eval("lambda value: value")
    for value in VALUES:
        result = echo(value)
        assert type(result) is type(value), repr(value)[:80]
        assert result == value, repr(value)[:80]
    assert math.isnan(echo(math.nan))
    assert math.copysign(1, echo(-0.0)) == -1


@case
def values_are_on_the_server_what_they_are_here(c: Any) -> None:
    describe = c.eval("lambda value: (type(value).__name__, repr(value)[:100])")
    for value in VALUES:
        if abs(value) > 10**300 if isinstance(value, int) else isinstance(value, frozenset):
            continue
        assert describe(value) == (type(value).__name__, repr(value)[:100])


@case
def ten_megabytes_go_both_ways(c: Any) -> None:
    data = bytes(range(256)) * 40_960
    c.namespace["data"] = data
    assert c.eval("len(data)") == len(data)
    assert c.namespace["data"] == data
    noise = __import__("os").urandom(1_000_000)
    assert c.eval("lambda value: value")(noise) == noise


@case
def subclasses_of_plain_types_stay_where_they_are(c: Any) -> None:
    number = c.eval("__import__('signal').SIGINT")
    assert is_netref(number)
    assert int(number) == 2
    assert is_netref(c.eval("__import__('os').stat('/')"))
    assert is_netref(c.eval("bytearray(b'x')"))
    c.execute("class Text(str): pass")
    assert is_netref(c.eval("Text('x')"))


@case(Differs("it loses the connection", server="rpyc*"))
def an_object_whose_class_has_no_module_arrives(c: Any) -> None:
    thing = c.eval("type('Thing', (), {})()")
    assert is_netref(thing)
    thing.x = 1
    assert thing.x == 1
    assert c.eval("type('Thing', (), {'shared': 2})").shared == 2


@case
def a_tuple_with_an_object_in_it_is_a_tuple(c: Any) -> None:
    result = c.eval("(1, [2], ('x', {3: 4}))")
    assert type(result) is tuple
    assert result[0] == 1
    assert is_netref(result[1])
    assert result[1][0] == 2
    assert type(result[2]) is tuple
    assert result[2][1][3] == 4


@case
def an_object_of_the_server_comes_back_as_itself(c: Any) -> None:
    c.execute("thing = object()")
    thing = c.namespace["thing"]
    assert c.eval("lambda value: value is thing")(thing) is True
    assert c.eval("lambda values: values[1][0] is thing")((1, (thing,))) is True
    assert c.namespace["thing"] is thing


@case
def an_object_of_the_client_comes_back_as_itself(c: Any) -> None:
    thing = object()
    assert c.eval("lambda value: value")(thing) is thing
    result = c.eval("lambda value: (1, (value,))")(thing)
    assert result == (1, (thing,))
    assert result[1][0] is thing


@case(Differs("it loses the connection", server="rpyc*", when=INTS_ARE_LIMITED))
def an_int_of_5000_digits_is_an_exception(c: Any) -> None:
    if not INTS_ARE_LIMITED:
        assert c.eval("10**5000") == 10**5000
        return
    with raises(ValueError):
        c.eval("10**5000")
    with raises(ValueError):
        c.eval("(1, [], -10**5000)")
    assert c.eval("1+1") == 2


@case(Differs("it loses the connection", server="rpyc*"))
def a_lone_surrogate_is_an_exception(c: Any) -> None:
    with raises(UnicodeEncodeError):
        c.eval("'\\ud800'")
    with raises(UnicodeEncodeError):
        c.eval("('a', ['b'], 'c\\udfff')")
    assert c.eval("1+1") == 2


@case(Differs("it loses the connection", server="rpyc*"))
def what_cannot_be_sent_in_an_exception_does_not_lose_it(c: Any) -> None:
    for text in (
        "raise KeyError('\\ud800')",
        "raise KeyError(10**5000)",
        "raise KeyError((1, '\\udfff'))",
        "e = KeyError(1); e.number = 10**5000; raise e",
        "e = KeyError(1); e.text = '\\ud800'; raise e",
    ):
        with raises(KeyError):
            c.execute(text)
        assert c.eval("1+1") == 2
