# SPDX-License-Identifier: BSD-3-Clause
"""CPU time of other processes, system calls, instructions; turns, medians and quartiles."""

from __future__ import annotations

import re
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

TURNS = 7

#: A row is not trusted if the quartiles of pystuck or of the reference are further apart than this
#: share of the median, or if other processes used more than this share of the machine.
WIDEST, BUSIEST = 0.25, 0.10


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process with all its threads, from outside.

    This is the kernel's clock of the process: utime and stime of /proc/PID/stat, in nanoseconds
    and not in ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def machine_seconds() -> float:
    """Returns the CPU time of all processes since the machine was started."""
    user, nice, system, _, _, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft) / 100


def own_seconds() -> float:
    """Returns the CPU time of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in usages)


class Load:
    """Measures which share of the machine other processes use, from now on."""

    def __init__(self, processors: int) -> None:
        self.processors = processors
        self.begun = (time.monotonic(), machine_seconds(), own_seconds())

    def share(self) -> float:
        """Call this when all processes of the row have ended."""
        wall, machine, own = (
            after - before
            for before, after in zip(
                self.begun, (time.monotonic(), machine_seconds(), own_seconds())
            )
        )
        return max(0.0, machine - own) / (wall * self.processors) if wall > 0.2 else 0.0


def quartiles(numbers: list[float]) -> tuple[float, float, float]:
    """Returns the first quartile, the median and the third."""
    if len(numbers) < 2:
        return numbers[0], numbers[0], numbers[0]
    first, median, third = statistics.quantiles(numbers, n=4, method="inclusive")
    return first, median, third


@dataclass
class Measured:
    """What a row has found. Without a reference, `ours` itself is compared with the goal."""

    ours: list[float]
    reference: list[float] = field(default_factory=list)
    unit: str = "us"
    exact: bool = False  # a count, which does not depend on the load
    server_cpu: list[float] = field(default_factory=list)  # of pystuck's server, in seconds
    reference_cpu: list[float] = field(default_factory=list)
    note: str = ""

    def value(self) -> float:
        """What is compared with the goal."""
        ours = quartiles(self.ours)[1]
        return ours / quartiles(self.reference)[1] if self.reference else ours

    def wide(self) -> bool:
        """True if the quartiles are too far apart."""
        for numbers in (self.ours, self.reference):
            if numbers and not self.exact:
                first, median, third = quartiles(numbers)
                if third - first > WIDEST * abs(median):
                    return True
        return False


def take_turns(
    ours: Callable[[], float], reference: Callable[[], float], turns: int = TURNS
) -> tuple[list[float], list[float]]:
    """Measures ours and the reference in turns, A B A B. The first of each only warms up."""
    ours(), reference()
    pairs = [(ours(), reference()) for _ in range(turns)]
    return [a for a, _ in pairs], [b for _, b in pairs]


# ---- System calls --------------------------------------------------------------------------------

STRACE = ("strace", "-f", "-qq", "-s", "0")


def syscalls(log: Path) -> list[Counter[str]]:
    """Counts the system calls of each thread by name, in the order of the threads' first calls.

    log: written by strace -f. The two lines of a call that was interrupted by another thread's are
    one call.
    """
    threads: dict[str, Counter[str]] = {}
    for line in log.read_text(errors="replace").splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            threads.setdefault(match[1], Counter())[match[2]] += 1
    return list(threads.values())


# ---- Instructions --------------------------------------------------------------------------------


def callgrind(output: Path, *options: str) -> list[str]:
    """Returns the command that runs a program under callgrind."""
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", "-q", *options]


def instructions(output: Path, ours: Iterable[str]) -> int:
    """Sums the instructions that ran in these objects, by the start of their file names.

    output: a file of callgrind.
    """
    names: dict[str, str] = {}
    total, own, call = 0, False, False
    for line in output.read_text().splitlines():
        if line.startswith("ob="):
            number, _, name = line[3:].partition(" ")
            names.setdefault(number, name)
            own = Path(names[number]).name.startswith(tuple(ours))
        elif line.startswith("cob="):
            number, _, name = line[4:].partition(" ")
            if name:
                names[number] = name
        elif line.startswith("calls="):
            call = True  # the next line is the cost of the callee
        elif line[:1].isdigit() or line[:1] in "+-*":
            if own and not call:
                total += sum(map(int, line.split()[1:2]))  # a cost of 0 is left out
            call = False
    return total
