# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa
"""Objects of all kinds, for comparison.py. The server executes this file in its client's namespace."""

import array
import asyncio
import collections
import contextlib
import ctypes
import datetime
import decimal
import enum
import fractions
import functools
import importlib
import io
import itertools
import json
import operator
import os
import pathlib
import random
import re
import socket
import string
import sys
import threading
import types
import uuid
import weakref
import xml.dom


class Thing:
    """A thing.

    Indented.
    """

    shared = [1]

    class Nested:
        """Within."""

    partial = functools.partial(len)
    instance = object()
    function = lambda self: "of a lambda"
    builtin = len

    def __init__(self, n=0):
        self.n = n

    def method(self, a, b=2, *c, d=4, **e):
        """A method.

        Its docstring is indented,
          and more.
        """
        return (self.n, a, b, c, d, tuple(sorted(e.items())))

    def undocumented(self):
        return self

    @property
    def prop(self):
        """A property."""
        return self.n

    @staticmethod
    def static(x):
        return ("static", x)

    @classmethod
    def make(cls, n=1):
        return cls(n)


class Derived(Thing):
    def method(self, a):
        return super().method(a)

    def __call__(self, *args, **kwargs):
        """Calls it."""
        return args, tuple(sorted(kwargs.items()))

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return i

    def __iter__(self):
        return iter((1, 2, 3))

    def __contains__(self, x):
        return x == 2

    def __eq__(self, other):
        return isinstance(other, Thing) and self.n == other.n

    def __hash__(self):
        return 77

    def __bool__(self):
        return False

    def __add__(self, other):
        return ("add", other)

    def __radd__(self, other):
        return ("radd", other)

    def __iadd__(self, other):
        self.n += other
        return self

    def __neg__(self):
        return "neg"

    def __int__(self):
        return 12

    def __index__(self):
        return 13

    def __float__(self):
        return 1.25

    def __format__(self, spec):
        return "format " + spec

    def __str__(self):
        return "str \u2603"

    def __repr__(self):
        return "repr \u2603"


class Slots:
    __slots__ = ("a", "b")


class Meta(type):
    def of_meta(cls):
        """A method of the metaclass."""
        return cls.__name__

    def __instancecheck__(cls, other):
        return other == 5

    def __len__(cls):
        return 9


class WithMeta(metaclass=Meta):
    def method(self):
        return 1


class Liar:
    @property
    def __class__(self):
        return list


class Unhashable:
    __hash__ = None


class Guarded:
    def __getattribute__(self, name):
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        return "guarded " + name

    def __setattr__(self, name, value):
        raise PermissionError(1, "no", name)

    def __dir__(self):
        return ["z", "a"]


class Dynamic:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name.upper()


class Custom:
    def _rpyc_getattr(self, name):
        return ("got", name)

    def _rpyc_setattr(self, name, value):
        self.__dict__["seen"] = (name, value)

    def _rpyc_delattr(self, name):
        self.__dict__["gone"] = name


class Text(str):
    pass


class Pair(tuple):
    pass


Point = collections.namedtuple("Point", "x y")


class Color(enum.IntEnum):
    RED = 1


class Manager:
    answer = None
    seen = ()

    def __enter__(self):
        return "entered"

    def __exit__(self, *info):
        self.seen = tuple(type(x).__name__ for x in info)
        return self.answer


class Old:
    def __getslice__(self, *a):
        return a

    def __setslice__(self, *a):
        self.set = a


class Iterator:
    def __init__(self):
        self.n = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.n += 1
        if self.n > 3:
            raise StopIteration
        return self.n


def generator():
    yield 1
    yield 2
    return "end"


async def coroutine():
    pass


class Failing:
    def _fail(self, *a):
        raise LookupError("failing", self.code)

    code = 7
    __str__ = __repr__ = __hash__ = __eq__ = __lt__ = __len__ = __iter__ = __bool__ = _fail
    __enter__ = __exit__ = __call__ = __dir__ = _fail


class Odd(Exception):
    def __init__(self, a, b=2):
        super().__init__(a, b)
        self.a, self.b = a, b
        self.thing = [a]
        self._hidden = 1

    def method(self):
        return self.a

    def __str__(self):
        return "odd %s" % (self.a,)


class WithProperty(ValueError):
    @property
    def answer(self):
        return 42


def nest(n):
    if n == 0:
        raise Odd("deep")
    nest(n - 1)


def chained():
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise KeyError("outer") from error


def during():
    try:
        1 / 0
    except ZeroDivisionError:
        raise KeyError("outer")


def call(f, *a, **k):
    return f(*a, **k)


def caught(f, *a):
    try:
        return f(*a)
    except BaseException as error:
        return describe(error)


def describe(error):
    public = [
        n for n in dir(error) if n[0] != "_" and n not in ("args", "with_traceback", "add_note")
    ]
    return (
        type(error).__name__,
        type(error).__mro__[1].__name__,
        error.args,
        tuple((n, repr(getattr(error, n))) for n in public),
        tuple(
            cls.__name__
            for cls in (KeyError, LookupError, ValueError, Exception, OSError)
            if isinstance(error, cls)
        ),
        "Remote Traceback (1)" in str(error),
        str(error).split(chr(10))[0],
    )


nested = nested_now = None


def here():
    return sys._getframe()
