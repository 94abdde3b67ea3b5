# SPDX-License-Identifier: BSD-3-Clause
"""The stack reader on its own process, against sys._current_frames().

With PYSTUCK_SLOW=1 10^5 stacks of running threads are read, and 10,000 programs with locks, else
some of them.
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


#: Different seeds in each turn.
TURN = int(os.environ.get("PYSTUCK_TURN") or 0)


def run(program: str, *arguments: object) -> Any:
    folders = [str(Path(os.environ["PYSTUCK_STACKREADER"]).parent), os.environ["PYSTUCK_GREENLET"]]
    environment = clean_environment(PYTHONPATH=os.pathsep.join(folders))
    if preload := os.environ.get("PYSTUCK_PRELOAD"):
        environment |= {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"}
    return result_of(command(program, *map(str, arguments)), environment)


def result_of(argv: list[str], environment: dict[str, str]) -> Any:
    done = subprocess.run(
        argv,
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
    assert found == {"compared": 52, "different": []}


@pytest.mark.parametrize("traced", [[], ["traced"]], ids=["plain", "traced"])
def test_no_holder_and_no_wait_of_random_programs_is_wrong(traced: list[str]) -> None:
    """Most holders are named; the others may have released their lock, as far as can be seen."""
    programs = (5_000, 12345) if SLOW else (30, 12345)
    found = run("locks_generated.py", *programs, *traced)
    assert (found["wrong"], found["count"]) == ([], 0)
    assert found["named"] >= 0.95 * found["held"] > 0
    assert found["named_rlocks"] == found["rlocks"] > 0


@pytest.mark.parametrize("where", ["self", "child"])
def test_what_is_called_exact_is_possible(where: str) -> None:
    walks = 100_000 if SLOW else 1000
    found = run("stacks_churn.py", walks, where)
    print(found)
    assert found["impossible"] == []
    assert found["unreadable"] == 0
    assert found["exact"] + found["moving"] >= walks
    if where == "self":
        assert found["moving"] <= 0.03 * (found["exact"] + found["moving"])
    assert found["greenlets"]


def test_a_thread_with_frames_in_several_interpreters_is_one_thread() -> None:
    found = run("stacks_joined.py")
    assert found["threads"] == len(found["functions"]) == 2
    assert found["functions"][found["ident"]][-3:] == ["work", "<module>", "inner"]
    assert found["exact"] == found["is_sure"]
    assert found["held"] == [5]


def test_ten_threads_are_read_with_few_system_calls() -> None:
    """Each reading of memory is a system call of about 0.7 us, which takes most of the time.
    Without pages that are kept, it needs 500 to 740 for the frames, and 1,800 to 2,600 for all."""
    found = run("stacks_cost.py")
    print(found)
    assert found["frames"][1] <= 450
    assert found["all"][1] <= 700


def test_the_offsets_that_are_known_of_this_version_are_those_in_its_headers() -> None:
    assert run("stacks_known.py") is True


def test_an_image_of_a_process_with_changed_bytes(tmp_path: Path) -> None:
    """Nothing crashes, and what is called exact is in the image."""
    runs = 100_000 if SLOW else 500
    image = tmp_path / "image"
    assert run("stacks_image.py", image) == {"threads": 6}
    argv = [os.environ["STACKREADER_REPLAY"], str(TURN * runs), str(runs)]
    found = result_of(argv, clean_environment(FUZZ_IMAGE=str(image)))
    print(found)
    assert found["runs"] == runs
    assert found["proved"] > runs
    assert found["moving"] > 0
    assert found["cut"] > 0


def test_a_wrong_offset_is_found_out() -> None:
    found = run("stacks_offsets.py", Path(__file__).parents[2] / "stackreader" / "offsets.h")
    assert found["right"] == [None, None, None]
    assert found["checked"] > 100
    assert found["missed"] == {}
