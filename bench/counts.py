# SPDX-License-Identifier: BSD-3-Clause
"""Counts of instructions and of system calls, which do not depend on the load of the machine.

    counts.py [calls] [instructions]
    counts.py --write

Compares the counts with baseline.json and exits with 1 if one is more than 3 % larger. --write
writes the file. Instructions are those of pystuck's own objects: the extension, and a C client with
librpyc. So another C library changes nothing. They are compared only if the compiler, its
optimization and the version of Python are those of baseline.json; otherwise the exit status is 77.
Needs strace and valgrind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import STRACE, callgrind, instructions, syscalls
from programs import HERE, NotInstalledError, Program, Server, built, c_client, setting

BASELINE = HERE / "baseline.json"
TOLERANCE = 0.03
NOT_COMPARED = 77
KINDS = ("getattr", "call")

#: Two sessions of each kind are compared, which differ by MORE requests. What is the same in both,
#: such as connecting, does not count.
FEW, MORE = 20, 200

Counts = dict[str, float]


def build() -> str:
    """Returns what determines the instructions: the compiler, its flags, and for which Python."""
    compiler = [*os.environ.get("CC", "cc").split(), "-dumpversion"]
    version = subprocess.run(compiler, capture_output=True, text=True, check=True).stdout
    flags = [each for each in setting("LIBRPYC_CFLAGS").split() if each.startswith(("-O", "-fsan"))]
    directory = Path(setting("PYSTUCK_PYTHONPATH").rpartition(":")[2])
    (extension,) = directory.glob("_pystuck.*.so")
    name = f"{Path(compiler[-2]).name} {version.split('.')[0].strip()}"
    return " ".join([name, *flags, extension.name.split(".")[1]])


def under_strace(log: Path) -> list[str]:
    return [*STRACE, "-o", str(log)]


def need(program: str) -> None:
    if not shutil.which(program):
        raise NotInstalledError(f"install {program}")


def session(target: str, kind: str, count: int, under: Sequence[str] = ()) -> None:
    with c_client(target, kind, under) as client:
        client.ask(count)


def count_calls(kinds: Sequence[str] = KINDS) -> Counts:
    """Counts the system calls of a request, on the server and in the client."""
    need("strace")
    counts: Counts = {}
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "server"
        client_logs = []
        with Server("ours", under=under_strace(log)) as server:
            for kind in kinds:
                for count in (FEW, FEW + MORE):
                    client_logs.append(Path(directory) / f"{kind}-{count}")
                    session(server.target, kind, count, under_strace(client_logs[-1]))
        # Each session has a thread of its own, and receives each request
        sessions = [each.total() for each in syscalls(log) if each["recvfrom"] > FEW]
        clients = [sum(each.total() for each in syscalls(log)) for log in client_logs]
    for number, kind in enumerate(kinds):
        for side, totals in (("server", sessions), ("client", clients)):
            few, many = totals[2 * number : 2 * number + 2]
            counts[f"{kind} {side}"] = round((many - few) / MORE, 1)
    return counts


def count_instructions(kinds: Sequence[str] = KINDS) -> Counts:
    """Counts the instructions of a request in our objects, on the server and in the client."""
    need("valgrind")
    counts: Counts = {}
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "server"
        # A file for each session: what ran before it began
        under = callgrind(output, "--dump-before=ps_serve_run")
        with Server("ours", under=under) as server:
            for kind in kinds:
                for count in (FEW, FEW + MORE):
                    session(server.target, kind, count)
                client = Path(directory) / f"{kind}-client"
                count_in_client([built("requests"), server.target, kind], client)
                counts[f"{kind} client"] = round(instructions(client, ["requests"]) / MORE)
        dumps = [instructions(each, ["_pystuck."]) for each in dumps_of(output)]
    for number, kind in enumerate(kinds):
        # Three sessions for each kind; the first dump is what ran before the first session
        few, many = dumps[3 * number + 1 : 3 * number + 3]
        counts[f"{kind} server"] = round((many - few) / MORE)
    return counts


def dumps_of(output: Path) -> list[Path]:
    """Returns the files that callgrind has written, in their order."""
    numbered = sorted(output.parent.glob(f"{output.name}.*"), key=lambda each: int(each.suffix[1:]))
    return [*numbered, output]


def count_in_client(argv: Sequence[str], output: Path) -> None:
    """Runs a client under callgrind, which counts in its function measured()."""
    with Program([*callgrind(output, "--toggle-collect=measured"), *argv]) as client:
        client.ask(MORE)


def count_brine() -> Counts:
    """Counts the instructions of writing and of reading a tuple of small values."""
    need("valgrind")
    counts: Counts = {}
    with tempfile.TemporaryDirectory() as directory:
        for kind in ("write", "read"):
            output = Path(directory) / kind
            count_in_client([built("brine"), kind], output)
            counts[f"brine {kind}"] = round(instructions(output, ["brine"]) / MORE)
    return counts


def larger(what: str, found: Counts, known: Counts) -> list[str]:
    """Returns a line for each count that has become too large."""
    return [
        f"{name}: {count:g} {what}, {count / known[name] - 1:+.1%}: baseline.json has "
        f"{known[name]:g}"
        for name, count in found.items()
        if count > known[name] * (1 + TOLERANCE)
    ]


def compare_calls() -> list[str]:
    """Returns the faults of the system calls."""
    baseline = json.loads(BASELINE.read_text())
    return larger("system calls", count_calls(), baseline["system calls"])


def compare_instructions() -> list[str] | None:
    """Returns the faults of the instructions; None if the baseline is for another build."""
    baseline = json.loads(BASELINE.read_text())
    if build() != baseline["build"]:
        print(f"instructions are not compared: built with {build()}, not with {baseline['build']}")
        return None
    found = {**count_brine(), **count_instructions()}
    return larger("instructions", found, baseline["instructions"])


def write() -> None:
    found = {
        "build": build(),
        "system calls": count_calls(),
        "instructions": {**count_brine(), **count_instructions()},
    }
    BASELINE.write_text(json.dumps(found, indent=1) + "\n")
    print(BASELINE.read_text(), end="")


def main() -> int:
    """Returns the exit status: 0, 1 for a count that has become too large, or NOT_COMPARED."""
    wanted = sys.argv[1:]
    if wanted == ["--write"]:
        write()
        return 0
    results = [COMPARISONS[each]() for each in wanted or COMPARISONS]
    faults = [fault for each in results if each for fault in each]
    print("".join(f"{fault}\n" for fault in faults), end="")
    if faults:
        return 1
    return NOT_COMPARED if None in results else 0


COMPARISONS = {"calls": compare_calls, "instructions": compare_instructions}

if __name__ == "__main__":
    sys.exit(main())
