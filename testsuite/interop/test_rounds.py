# SPDX-License-Identifier: BSD-3-Clause
"""Everything that clients do, repeated: afterwards the program has what it had before.

In a debug build of CPython (make check-debug), the references are counted as well.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rounds
from faults import SLOW
from harness import SANITIZED, Debuggee

ROUNDS = int(os.environ.get("PYSTUCK_ROUNDS", "30" if SANITIZED else "100" if SLOW else "50"))

#: Rounds before the first count: Python keeps some objects when it does something for the first
#: time.
WARM_UP = 6

#: How much the counts may grow. Each part of a round runs at least once per round, and so would its
#: leak; a connection is made and closed in every second round. So a leak is at least half as many
#: objects as there are rounds. On a busy machine, threads may wait for each other for the first
#: time: Python and pystuck then make some objects that they keep.
TOLERANCE = max(10, ROUNDS // 4)

#: Python up to 3.10 allocates some more blocks for each function that has run 1024 times.
BLOCKS_FOR_OFTEN_RUN = 60


class Counts(NamedTuple):
    """The counts of the debuggee."""

    references: int  # 0 except in a debug build
    blocks: int  # blocks of Python's allocator; 0 if there is none
    objects: int  # objects that the garbage collector knows


class Rounds:
    """Plays rounds with one debuggee, half of them on one connection that stays, and counts."""

    def __init__(self, debuggee: Debuggee) -> None:
        self.debuggee = debuggee
        self.observer = rounds.connect(debuggee)
        self.kept = rounds.connect(debuggee)
        self.kept.ping()
        self.before = debuggee.holdings()

    def close(self) -> None:
        self.observer.close()
        self.kept.close()

    def run(self, times: int, parts: list[Callable[..., None]] = rounds.PARTS) -> None:
        for number in range(times):
            if number % 2:
                rounds.run(self.kept, self.debuggee, parts)
                continue
            with contextlib.closing(rounds.connect(self.debuggee)) as connection:
                rounds.run(connection, self.debuggee, parts)

    def count(self) -> Counts:
        gc.collect()  # gives back the objects of the debuggee
        self.kept.ping()
        self.debuggee.wait_until_back_to(self.before)
        return Counts(*self.observer.eval("__import__('__main__').count()"))

    def growth(self, times: int, parts: list[Callable[..., None]] = rounds.PARTS) -> Counts:
        before = self.count()
        self.run(times, parts)
        return Counts(*(now - then for now, then in zip(self.count(), before)))

    def tolerance(self) -> Counts:
        is_old = self.observer.modules.sys.version_info < (3, 11)
        blocks = TOLERANCE + (BLOCKS_FOR_OFTEN_RUN if is_old else 0)
        return Counts(TOLERANCE, blocks, TOLERANCE)


@pytest.fixture
def played(start_debuggee: Callable[..., Debuggee], socket_dir: Path) -> Iterator[Rounds]:
    """Rounds with a new debuggee, on a Unix socket: TCP delays the short packets of rpyc."""
    debuggee = start_debuggee("counted.py", unix_socket=str(socket_dir / "s"))
    with contextlib.closing(Rounds(debuggee)) as result:
        yield result


def blame(played: Rounds) -> dict[str, Counts]:
    """Returns the parts of a round that leak something, and what leaks in ten rounds."""
    growths: dict[str, Any] = {}
    for part in rounds.PARTS:
        played.run(2, [part])
        growth = played.growth(10, [part])
        if max(growth) > 1:
            growths[part.__name__] = growth
    return growths


@pytest.mark.rotates(4)
def test_rounds_of_everything_leave_nothing_behind(played: Rounds) -> None:
    played.run(WARM_UP)
    growth = played.growth(ROUNDS)
    print(f"{ROUNDS} rounds: {growth}")
    if any(more > allowed for more, allowed in zip(growth, played.tolerance())):
        pytest.fail(f"{ROUNDS} rounds: {growth}; in 10 rounds, by part: {blame(played)}")


LOSE = """
import ctypes
def lose(times):
    kept = []
    for _ in range(times):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
"""


def test_a_reference_too_many_is_counted_in_a_debug_build(played: Rounds) -> None:
    if not played.count().references:
        pytest.skip("not a debug build of Python")
    played.observer.execute(LOSE)
    lose = played.observer.namespace["lose"]
    lose(1)
    before = played.count()
    lose(ROUNDS)
    growth = played.count().references - before.references
    assert ROUNDS <= growth <= ROUNDS + TOLERANCE
