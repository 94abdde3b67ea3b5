# SPDX-License-Identifier: BSD-3-Clause
"""make check-rpyc: which tests it chooses, what it reports, and what it does if there are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import rpyc_suite
from harness import PATIENCE, THREAD_SANITIZED, clean_environment

RUN_RPYC = Path(__file__).resolve().parent.parent / "run-rpyc"

LISTED = next(iter(rpyc_suite.DIFFERENCES["6.0.2"]))


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([], ["", "", ""]),
        (["6.0.2", "5.3.1", "4.1.5"], ["6.0.2", "5.3.1", "4.1.5"]),
        (["6.0.1", "6.0.2", "5.3.0"], ["6.0.2", "5.3.0", "5.3.0"]),
        (["6.0.1"], ["6.0.1", "6.0.1", "6.0.1"]),
        (["6.0.10", "6.0.9"], ["6.0.10", "6.0.9", "6.0.9"]),
        (["4.1.5"], ["", "", "4.1.5"]),
    ],
)
def test_each_version_gets_its_own_tests_or_the_nearest(
    tmp_path: Path, found: list[str], chosen: list[str]
) -> None:
    (tmp_path / "complete").touch()
    (tmp_path / "7.0").mkdir()  # a source tree without tests
    for version in found:
        (tmp_path / version / "tests").mkdir(parents=True)
    assert [rpyc_suite.tests_for(each, tmp_path) for each in rpyc_suite.INSTALLED] == chosen


@pytest.mark.parametrize(
    ("stock", "ours", "good", "shown"),
    [
        ({"a": "PASSED"}, {"a": "PASSED"}, True, "1 of 1 tests pass with rpyc's server, 1 of"),
        ({"a": "PASSED"}, {"a": "FAILED"}, False, "ERROR: a: FAILED"),
        ({"a": "PASSED"}, {}, False, "ERROR: a: not run"),
        ({"a": "FAILED"}, {"a": "FAILED"}, True, "fails with rpyc's server too: a"),
        ({LISTED: "PASSED"}, {LISTED: "FAILED"}, True, f"fails on purpose: {LISTED}"),
        ({LISTED: "PASSED"}, {LISTED: "PASSED"}, False, "remove it from DIFFERENCES"),
        ({LISTED: "FAILED"}, {LISTED: "FAILED"}, True, "fails with rpyc's server too"),
    ],
)
def test_only_the_listed_tests_may_fail_with_our_server_alone(
    capsys: pytest.CaptureFixture[str],
    stock: dict[str, str],
    ours: dict[str, str],
    good: bool,
    shown: str,
) -> None:
    assert rpyc_suite.report("6.0.2", stock, ours) is good
    assert shown in capsys.readouterr().out


@pytest.mark.skipif(THREAD_SANITIZED, reason="shells do not run with its library")
def test_without_tests_of_rpyc_it_is_skipped_and_says_so(tmp_path: Path) -> None:
    environment = {
        "PYSTUCK_RPYC_CACHE": str(tmp_path),
        "DEBIAN_MIRROR": "file:/no/debian",
    }
    done = subprocess.run(
        [RUN_RPYC],
        env={**clean_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "check-rpyc: cannot download" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("check-rpyc: SKIPPED: no tests of rpyc found")
