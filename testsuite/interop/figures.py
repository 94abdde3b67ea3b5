# SPDX-License-Identifier: BSD-3-Clause
"""Counts what tests have tried, for the summary of `make check-hardening`.

    figures.add("bad inputs", len(inputs))

Several processes may count at the same time. If PYSTUCK_FIGURES names no file, nothing is counted.
As a program, `figures.py FILE FUZZ-DIRECTORY` prints the summary of the counts in the file and of
the fuzzers' logs. Its status is 1 if one of the figures that must be 0 is not.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

Figure = Literal[
    # inputs that no client of a known rpyc would send, each sent to a running server or client
    "bad inputs",
    "faults",  # calls that were made to fail, connections that were cut, processes that were killed
    "strangers",  # clients of users who may not connect
    "strangers let in",
    "crashes",  # processes of a test that ended by a signal, or with a report of a sanitizer
    "leaks",  # descriptors, threads, memory that a test found left behind
    "hangs",  # processes of a test that did not answer any more
]

#: These must be 0.
BAD = ("crashes", "leaks", "hangs", "strangers let in")

#: The names that libFuzzer gives to inputs with which it found a fault.
FINDINGS = {"crash": "crashes", "oom": "crashes", "leak": "leaks", "timeout": "hangs"}


def add(what: Figure, count: int = 1) -> None:
    """Adds to these figures."""
    if path := os.environ.get("PYSTUCK_FIGURES"):
        # O_APPEND and one short write: lines of several processes do not mix
        with open(path, "a") as file:
            file.write(f"{count}\t{what}\n")


def totals(path: Path) -> Counter[str]:
    """Returns the counts in a file."""
    total: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        count, what = line.split("\t")
        total[what] += int(count)
    return total


def fuzzed(directory: Path) -> Counter[str]:
    """Returns what the fuzzers have done and found, according to their logs."""
    total: Counter[str] = Counter()
    for log in directory.glob("*/log"):
        if done := re.search(r"^Done (\d+) runs in (\d+) second", log.read_text("latin-1"), re.M):
            total["fuzzed inputs"] += int(done[1])
            total["seconds fuzzed"] += int(done[2])
        for kind, what in FINDINGS.items():
            total[what] += len(list(log.parent.glob(f"{kind}-*")))
    return total


def summary(total: Counter[str]) -> str:
    """Returns a line for each figure."""
    lines = {
        "bad inputs tried": total["bad inputs"],
        "faults injected": total["faults"],
        "seconds fuzzed": total["seconds fuzzed"],
        "inputs of the fuzzers": total["fuzzed inputs"],
        "clients of other users tried": total["strangers"],
        "clients of other users let in": total["strangers let in"],
        "crashes": total["crashes"],
        "leaks": total["leaks"],
        "hangs": total["hangs"],
    }
    text = "".join(f"{name:32}{count:>12,}\n" for name, count in lines.items())
    if not total["strangers"]:
        text += "(Only root can be another user: run it as root to have others try.)\n"
    return text


def main() -> int:
    """Prints the summary."""
    total = totals(Path(sys.argv[1])) + fuzzed(Path(sys.argv[2]))
    print(summary(total), end="")
    return int(any(total[what] for what in BAD))


if __name__ == "__main__":
    sys.exit(main())
