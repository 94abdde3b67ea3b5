# SPDX-License-Identifier: BSD-3-Clause
"""measures.py: which tests run twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.rotates(4)

#: Stands for the kernel's file; the tests below write it.
CONFTEST = """
from pathlib import Path
import measures
measures.PRESSURE = Path("pressure")
pytest_plugins = ["measures"]
"""

#: A test that fails the first time. `waited` is the kernel's figure for this time, in microseconds.
TEST = """
import itertools, pathlib, pytest, time
runs = itertools.count(1)
def write(total):
    text = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={{total}}\\n"
    pathlib.Path("pressure").write_text(text + text.replace("some", "full"))
if {known}:
    write(10_000_000)
{marker}
def test_it():
    run = next(runs)
    time.sleep(0.01)
    if {known}:
        write(10_000_000 + {waited})
    assert run > {failures}, f"run {{run}}"
"""

#: Microseconds: longer than any test runs.
LONG = 3_600_000_000

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns a function that runs pytest on a test which fails some times before it passes."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def run_it(
        failures: int,
        waited: int = LONG,
        *,
        known: bool = True,
        marker: str = "@pytest.mark.measures",
        options: tuple[str, ...] = (),
    ) -> pytest.RunResult:
        pytester.makeini("[pytest]\nmarkers = measures\n")
        pytester.makeconftest(CONFTEST)
        text = TEST.format(known=known, marker=marker, waited=waited, failures=failures)
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run_it


BOTH = [
    "*measured twice*",
    "*::test_it",
    "1st result: failed in its call; *",
    "*AssertionError: run 1*",
]


def test_what_passes_is_run_once(run: Run) -> None:
    done = run(0)
    done.assert_outcomes(passed=1)
    done.stdout.no_fnmatch_line("*measured twice*")


def test_what_fails_on_a_busy_machine_is_run_again(run: Run) -> None:
    done = run(1)
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines([*BOTH, "2nd result, which counts: passed"])
    assert done.ret == 0


def test_what_fails_twice_has_failed_and_is_not_run_a_third_time(run: Run) -> None:
    done = run(2)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*AssertionError: run 2*"])
    done.stdout.fnmatch_lines([*BOTH, "2nd result, which counts: failed in its call"])
    assert done.ret == 1


@pytest.mark.parametrize(
    "why",
    [{"waited": 0}, {"waited": 1000}, {"known": False}, {"marker": ""}],
    ids=["idle", "all but idle", "no pressure known", "not a measurement"],
)
def test_everything_else_that_fails_has_failed_at_once(run: Run, why: dict[str, object]) -> None:
    done = run(1, **why)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*AssertionError: run 1*"])
    done.stdout.no_fnmatch_line("*measured twice*")
    assert done.ret == 1


def test_both_results_are_printed_where_another_process_ran_it(run: Run) -> None:
    done = run(1, options=("-n", "1"))
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines([*BOTH, "2nd result, which counts: passed"])


def test_fixtures_are_made_anew(run: Run, pytester: pytest.Pytester) -> None:
    marker = """
@pytest.fixture(autouse=True)
def made(request):
    print("made for", request.node.name)
    yield
    print("gone")
@pytest.mark.measures"""
    done = run(1, marker=marker, options=("-s",))
    done.assert_outcomes(passed=1)
    assert done.outlines.count("gone") == done.stdout.str().count("made for test_it") == 2


def test_a_missing_or_odd_file_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import measures

    for name, text in (("nothing", None), ("odd", "something else\n"), ("empty", "")):
        if text is not None:
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(measures, "PRESSURE", tmp_path / name)
        assert measures.Pressure().share() is None
    monkeypatch.setattr(measures, "PRESSURE", Path("/proc/pressure/cpu"))
    if os.path.exists("/proc/pressure/cpu"):
        assert measures.seconds_of_waiting() is not None
