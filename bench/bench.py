# SPDX-License-Identifier: BSD-3-Clause
"""Runs the benchmarks and prints a table: bench/README.md says how.

    bench.py [--scale] [--only NAME]... [--json FILE]

--scale runs those of make bench-scale. --only runs the rows with this name, or whose name begins
with it and a hyphen. --json: the file for the results, by default bench/bench.json in the build
directory.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import BUSIEST, WIDEST, Load, Measured, quartiles
from programs import NotInstalledError, built
from rows import ROWS, SCALE_ROWS, Row

HEAD = ("what", "ours", "reference", "ratio", "goal", "")
Result = dict[str, Any]


def is_met(value: float, goal: str) -> bool:
    operator, _, limit = goal.partition(" ")
    return value <= float(limit) if operator == "<=" else value >= float(limit)


def doubts(found: Measured, load: float) -> list[str]:
    """Returns why a row cannot be trusted. Counts do not depend on the load."""
    result = []
    if found.wide():
        result.append(f"quartiles are further apart than {WIDEST:.0%} of the median")
    if load > BUSIEST and not found.exact:
        result.append(f"other processes used {load:.0%} of the machine")
    return result


def run(row: Row) -> Result:
    """Runs a row. An error in it is its result: the other rows still run."""
    result: Result = {
        "name": row.name,
        "what": row.what,
        "against": row.reference,
        "goal": row.goal,
    }
    begun, load = time.monotonic(), Load(os.cpu_count() or 1)
    try:
        found = row.run()
    except NotInstalledError as error:
        return {**result, "verdict": f"not run: {error}"}
    except Exception as error:
        return {**result, "verdict": f"failed: {type(error).__name__}: {error}"}
    share = load.share()
    doubt = doubts(found, share)
    return {
        **result,
        **asdict(found),
        "value": found.value(),
        "quartiles": quartiles(found.ours),
        "reference_quartiles": quartiles(found.reference) if found.reference else None,
        "load": round(share, 3),
        "seconds": round(time.monotonic() - begun, 1),
        "verdict": ("ok" if is_met(found.value(), row.goal) else "short") + "?" * bool(doubt),
        "doubts": doubt,
    }


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(numbers: list[float] | None, unit: str) -> str:
    """Returns the median, with the quartiles if they differ from it."""
    if not numbers:
        return ""
    first, median, third = (number(each) for each in numbers)
    between = "" if first == third else f" ({first} - {third})"
    return f"{median} {unit}{between}"


def cells(result: Result) -> tuple[str, ...]:
    if "value" not in result:
        against = result["against"]
        return (result["what"], "", against, "", result["goal"], result["verdict"])
    unit = result["unit"]
    reference = spread(result["reference_quartiles"], unit)
    if reference:
        reference = f"{result['against']}: {reference}"
    ratio = number(result["value"]) if result["reference_quartiles"] else ""
    ours = spread(result["quartiles"], unit)
    return (result["what"], ours, reference, ratio, result["goal"], result["verdict"])


def notes(result: Result) -> list[str]:
    """Returns the lines below the table for a row: CPU time of the servers, notes, doubts."""
    lines = list(result.get("doubts", ()))
    if result.get("server_cpu"):
        pair = [result["server_cpu"], result["reference_cpu"]]
        both = [number(quartiles(each)[1] * 1e6) for each in pair if each]
        lines.append("server CPU " + " against ".join(both) + " us")
    if result.get("note"):
        lines.append(result["note"])
    return [f"{result['name']}: {line}" for line in lines]


def table(results: list[Result]) -> str:
    """Returns the results as a table in Markdown, and the notes below it."""
    lines = [HEAD, *map(cells, results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    rows = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rows.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    below = [line for result in results for line in notes(result)]
    return "\n".join([*rows, "", *below])


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the benchmarks.")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = SCALE_ROWS if options.scale else ROWS
    if options.only:
        chosen = tuple(f"{name}-" for name in options.only)
        rows = [row for row in rows if f"{row.name}-".startswith(chosen)]
        if not rows:
            parser.error(f"no row is named {', '.join(options.only)}")
    results = []
    for row in rows:
        results.append(run(row))
        print(f"{row.name}: {results[-1]['verdict']}", file=sys.stderr, flush=True)
    print(table(results))
    path = options.json or Path(built("bench.json"))
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {path}", file=sys.stderr)
    return 1 if any(result["verdict"].startswith("failed") for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
