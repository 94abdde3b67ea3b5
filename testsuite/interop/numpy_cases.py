# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients if both sides have numpy; see test_numpy.py."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import rpyc
from cases import case, is_netref, raises

with contextlib.suppress(ImportError):  # a process that only lists the cases has no numpy
    import numpy as np


@case
def arithmetic_of_an_array_is_done_in_the_server(c: Any) -> None:
    there = c.modules.numpy.arange(6)
    assert is_netref(there)
    total = there + 1
    assert is_netref(total)
    assert total.tolist().__class__ is list
    assert list(total.tolist()) == [1, 2, 3, 4, 5, 6]
    assert list((2 * there).tolist()) == [0, 2, 4, 6, 8, 10]
    assert list((there + there).tolist()) == [0, 2, 4, 6, 8, 10]
    assert list((-there)[:2].tolist()) == [0, -1]
    assert int(there @ there) == 55
    assert int(there.sum()) == 15
    assert float(there.mean()) == 2.5
    there += 10
    assert int(there[0]) == 10
    assert [bool(x) for x in (there > 12).tolist()] == [False, False, False, True, True, True]


@case
def an_array_has_its_attributes_items_and_slices(c: Any) -> None:
    there = c.modules.numpy.arange(12).reshape(3, 4)
    assert there.shape == (3, 4)
    assert there.ndim == 2
    assert there.size == 12
    assert str(there.dtype) == str(np.arange(1).dtype)
    assert len(there) == 3
    assert int(there[1, 2]) == 6
    assert list(there[1].tolist()) == [4, 5, 6, 7]
    assert list(there[:, 1].tolist()) == [1, 5, 9]
    assert there[1:, ::2].shape == (2, 2)
    assert there[..., None].shape == (3, 4, 1)
    there[0, 0] = 100
    there[1] = 7
    assert int(there.max()) == 100
    assert list(there[1].tolist()) == [7, 7, 7, 7]
    assert there.T.shape == (4, 3)
    assert [row.shape for row in there] == [(4,), (4,), (4,)]
    assert repr(there).startswith("array([[100,")
    assert isinstance(there, np.ndarray)
    assert there.__class__ is np.ndarray
    with raises(IndexError):
        there[5]
    with raises(ValueError):
        bool(there)
    with raises(ValueError):
        there.reshape(5, 5)


@case
def an_array_is_obtained(c: Any) -> None:
    there = c.modules.numpy.linspace(0, 1, 5)
    here = rpyc.classic.obtain(there)
    assert type(here) is np.ndarray
    assert (here == np.linspace(0, 1, 5)).all()
    here[0] = 9
    assert float(there[0]) == 0
    assert (pickle.loads(pickle.dumps(there)) == np.linspace(0, 1, 5)).all()
    big = c.modules.numpy.zeros((1000, 1000))
    assert rpyc.classic.obtain(big).nbytes == 8_000_000


@case
def an_array_becomes_one_of_the_client(c: Any) -> None:
    there = c.modules.numpy.arange(4.0)
    here = np.asarray(there)
    assert type(here) is np.ndarray
    assert here.dtype == np.dtype("float64")
    assert here.tolist() == [0, 1, 2, 3]
    here[0] = 9
    assert float(there[0]) == 0
    assert np.array(there).tolist() == [0, 1, 2, 3]
    assert np.sum(np.asarray(there)) == 6
    assert (np.asarray(there) + np.ones(4)).tolist() == [1, 2, 3, 4]


@case
def no_array_is_read_from_the_memory_of_the_other_process(c: Any) -> None:
    there = c.modules.numpy.arange(3)
    for name in ("__array_struct__", "__array_interface__"):
        with raises(AttributeError):
            getattr(there, name)
    c.namespace["here"] = np.arange(3)
    for name in ("__array_struct__", "__array_interface__"):
        assert c.eval(f"hasattr(here, '{name}')") is False


@case
def numbers_of_numpy_stay_where_they_are_and_count(c: Any) -> None:
    there = c.modules.numpy.float64(1.5)
    assert is_netref(there)
    assert float(there) == 1.5
    assert there + 1 == 2.5
    assert there == 1.5
    assert there < 2
    assert hash(there) == hash(1.5)
    assert [10, 20][c.modules.numpy.int64(1)] == 20
    assert str(c.modules.numpy.int64(7)) == "7"
    assert c.modules.numpy.pi == np.pi


@case
def an_array_of_the_client_is_used_in_the_server(c: Any) -> None:
    here = np.arange(6).reshape(2, 3)
    assert c.eval("lambda a: (len(a), a.shape, int(a[1, 2]), int(a.sum()))")(here) == (
        (2, (2, 3), 5, 15)
    )
    assert c.eval("lambda a: type(a + 1).__name__ != 'nothing' and int((a + 1).sum())")(here) == 21
    c.execute("def change(a):\n    a[0, 0] = 50\n    a[1] *= 2\n")
    c.namespace["change"](here)
    assert here.tolist() == [[50, 1, 2], [6, 8, 10]]
    assert c.eval("lambda a: [int(x) for x in a[0]]")(here)[0] == 50


@case
def an_array_of_the_client_becomes_one_of_the_server(c: Any) -> None:
    c.execute("import numpy")
    here = np.arange(4)
    copy = c.eval("lambda a: numpy.asarray(a)")(here)
    assert is_netref(copy)
    assert c.eval("lambda a: type(a) is numpy.ndarray")(copy) is True
    here[0] = 9
    assert list(copy.tolist()) == [0, 1, 2, 3]
    assert int(c.eval("lambda a: numpy.asarray(a).sum()")(np.ones(5))) == 5
    assert c.eval("lambda a: isinstance(a, numpy.ndarray)")(here) is True
    assert c.eval("lambda a: a.__class__ is numpy.ndarray")(here) is True


@case
def an_array_is_delivered(c: Any) -> None:
    c.execute("import numpy")
    there = rpyc.classic.deliver(c, np.arange(4))
    assert is_netref(there)
    assert c.eval("lambda a: type(a) is numpy.ndarray and a.tolist() == [0, 1, 2, 3]")(there)


@case
def functions_of_numpy_take_callbacks(c: Any) -> None:
    numpy = c.modules.numpy
    squared = numpy.vectorize(lambda x: int(x) ** 2)(numpy.arange(4))
    assert list(squared.tolist()) == [0, 1, 4, 9]
    assert int(numpy.apply_along_axis(lambda row: row.sum(), 0, numpy.arange(4))) == 6
