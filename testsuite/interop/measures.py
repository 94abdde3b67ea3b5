# SPDX-License-Identifier: BSD-3-Clause
"""Runs a test with the marker `measures` again if it failed because the machine was busy.

Memory, CPU seconds and time depend on the load of the machine. The kernel counts the share of the
time in which a process waited for a CPU. If a test fails while this share is high, it runs once
more, and the second result counts; both results are printed. Without /proc/pressure/cpu, and if the
machine was not busy, a failure remains a failure.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

PRESSURE = Path("/proc/pressure/cpu")

#: The machine is busy if a process waited for a CPU during this share of the test's time. On a
#: machine without other load, the test's own processes stay far below.
BUSY = 0.25


def seconds_of_waiting() -> float | None:
    """Returns how long a process has waited for a CPU since the machine was started."""
    try:
        some = re.search(r"^some .*\btotal=(\d+)", PRESSURE.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(some[1]) / 1e6 if some else None


class Pressure:
    """Measures how busy the machine is from now on."""

    def __init__(self) -> None:
        self.waited, self.begun = seconds_of_waiting(), time.monotonic()

    def share(self) -> float | None:
        """Returns the share of the time since then in which a process waited for a CPU, if it is
        known."""
        waited, took = seconds_of_waiting(), time.monotonic() - self.begun
        if waited is None or self.waited is None or took <= 0:
            return None
        return (waited - self.waited) / took


def outcome(reports: list[pytest.TestReport]) -> str:
    """Returns the word for the result of a test with these reports."""
    failed = [report.when for report in reports if report.failed]
    return f"failed in its {failed[0]}" if failed else "passed"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Runs a test that measures, once or twice."""
    if item.get_closest_marker("measures") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    pressure = Pressure()
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    share = pressure.share()
    if share is not None and share >= BUSY and any(report.failed for report in reports):
        first = reports
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        reports[-1].measured_twice = (  # type: ignore[attr-defined]
            f"{item.nodeid}\n"
            f"1st result: {outcome(first)}; {share:.0%} of the time some process waited for a CPU\n"
            + "".join(f"{report.longreprtext}\n" for report in first if report.failed)
            + f"2nd result, which counts: {outcome(reports)}"
        )
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints both results of each test that ran twice."""
    twice = [
        text
        for reports in terminalreporter.stats.values()
        for report in reports
        if (text := getattr(report, "measured_twice", None))
    ]
    if twice:
        terminalreporter.section("measured twice: the machine was busy")
        for text in twice:
            terminalreporter.write_line(text)
