# SPDX-License-Identifier: BSD-3-Clause
"""The stack reader on its own process, against sys._current_frames().

With PYSTUCK_SLOW=1 10^5 stacks of running threads are read, else some of them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from faults import SLOW
from harness import PATIENCE, clean_environment, command

pytestmark = pytest.mark.skipif(
    "PYSTUCK_STACKREADER" not in os.environ, reason="no internal headers of this Python"
)


def run(program: str, *arguments: object) -> Any:
    folder = str(Path(os.environ["PYSTUCK_STACKREADER"]).parent)
    environment = clean_environment(PYTHONPATH=folder)
    if preload := os.environ.get("PYSTUCK_PRELOAD"):
        environment |= {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        command(program, *map(str, arguments)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20 * PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(("case", "threads"), [("kinds", 12), ("very_deep", 1), ("many", 1000)])
def test_the_stacks_are_those_that_python_shows(case: str, threads: int) -> None:
    found = run("stacks_read.py", case)
    assert found == {"compared": threads, "different": []}


@pytest.mark.parametrize("traced", [[], ["traced"]], ids=["plain", "traced"])
def test_what_threads_wait_for_and_hold_is_what_they_do(traced: list[str]) -> None:
    found = run("locks_read.py", *traced)
    assert found == {"compared": 22, "different": []}


@pytest.mark.parametrize("where", ["self", "child"])
def test_what_is_called_exact_is_possible(where: str) -> None:
    walks = 100_000 if SLOW else 1000
    found = run("stacks_churn.py", walks, where)
    assert found["impossible"] == []
    assert found["unreadable"] == 0
    assert found["exact"] + found["moving"] >= walks


def test_the_offsets_that_are_known_of_this_version_are_those_in_its_headers() -> None:
    assert run("stacks_known.py") is True


@pytest.mark.parametrize("rate", [1, 30, 1000, 30000])
def test_memory_that_is_wrong_does_no_harm(rate: int) -> None:
    times = 20_000 if SLOW else 100
    found = run("stacks_disturbed.py", rate, times)
    assert found["times"] == times
    assert found["read"] > 0 or rate == 30000
