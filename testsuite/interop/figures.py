# SPDX-License-Identifier: BSD-3-Clause
"""What tests have tried, counted for the summary of `make check-hardening`.

    figures.add("bad inputs", len(inputs))

Any number of processes may count at once. Where PYSTUCK_FIGURES names no file, nothing is counted.
As a program, `figures.py FILE FUZZ-DIRECTORY` prints the summary: what was counted in the file, and
what the fuzzers' logs say. Its status is 1 if anything is there that must not be.
"""

from __future__ import annotations

import os
import re
import sys
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

#: None of these may be.
BAD = ("crashes", "leaks", "hangs", "strangers let in")

#: How libFuzzer names the inputs that it has found something with.
FINDINGS = {"crash": "crashes", "oom": "crashes", "leak": "leaks", "timeout": "hangs"}


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


def fuzzed(directory: Path) -> Counter[str]:
    """What the fuzzers have done, by their logs, and found."""
    total: Counter[str] = Counter()
    for log in directory.glob("*/log"):
        if done := re.search(r"^Done (\d+) runs in (\d+) second", log.read_text("latin-1"), re.M):
            total["fuzzed inputs"] += int(done[1])
            total["seconds fuzzed"] += int(done[2])
        for kind, what in FINDINGS.items():
            total[what] += len(list(log.parent.glob(f"{kind}-*")))
    return total


def summary(total: Counter[str]) -> str:
    """A line for each figure."""
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
