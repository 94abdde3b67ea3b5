# SPDX-License-Identifier: BSD-3-Clause
"""Small requests, and brine, do not cost more instructions or system calls than before."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from harness import build_setting, run_program

#: The exit status of counts.py if the baseline is for another compiler or Python.
NOT_COMPARED = 77

COUNTS = Path(__file__).parents[2] / "bench" / "counts.py"


@pytest.mark.skipif(
    "PYSTUCK_SANITIZED" in os.environ or "PYSTUCK_WRAPPER" in os.environ,
    reason="counts the calls of an ordinary build",
)
@pytest.mark.skipif(
    not (shutil.which("strace") and shutil.which("valgrind")), reason="needs strace and valgrind"
)
@pytest.mark.parametrize("what", ["calls", "instructions"])
def test_no_count_is_3_percent_above_the_baseline(what: str) -> None:
    build_setting("PYSTUCK_BENCH")
    # callgrind is slow, and the machine may be busy
    done = run_program([sys.executable, COUNTS, what], env=dict(os.environ), timeout=300)
    if done.returncode == NOT_COMPARED:
        pytest.skip(done.stdout)
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}If this is intended: make bench-counts ARGS=--write"
    )
