"""What tests have tried, counted for the summary of `make check-hardening`.

    figures.add("bad inputs", len(inputs))

Any number of processes may count at once. Where PYSTUCK_FIGURES names no file, nothing is counted.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Literal

Figure = Literal[
    "bad inputs",  # what no client of a known rpyc would send, each to a live server or client
    "faults",  # calls that were made to fail, connections that were cut, processes that were killed
    "strangers",  # clients of users who may not come in
    "strangers let in",
    "crashes",  # processes of ours that ended by a signal, or with a sanitizer's report
    "leaks",  # descriptors, threads, memory that a test found left behind
    "hangs",  # processes of ours that did not answer any more
]


def add(what: Figure, count: int = 1) -> None:
    """Counts so many more of these."""
    if path := os.environ.get("PYSTUCK_FIGURES"):
        with open(path, "a") as file:  # O_APPEND, and one short write: lines stay whole
            file.write(f"{count}\t{what}\n")


def totals(path: Path) -> Counter[str]:
    """What was counted in a file."""
    total: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        count, what = line.split("\t")
        total[what] += int(count)
    return total
