# SPDX-License-Identifier: BSD-3-Clause
"""Runs rpyc's own tests with pystuck's server in place of rpyc's servers.

    testsuite/run-interop rpyc_suite.py DIRECTORY      (make check-rpyc RPYC_SOURCES=DIRECTORY)

DIRECTORY contains source trees of rpyc: 6.0.2/tests, 5.3.1/tests, 4.1.5/tests. Each of these three
versions is installed from PyPI, without tests. If DIRECTORY lacks the tests of a version, those of
another version with the same major number are used, else those of the next later version.

Each suite runs twice: first with rpyc's servers (the baseline), then with pystuck's. A test that
passes in the baseline must pass with pystuck's server, except for the tests in DIFFERENCES, each
with a reason. A test in DIFFERENCES that passes with pystuck's server is an error as well: the list
is then out of date.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: The versions that are installed, and the variables that say where.
INSTALLED = {"6.0.2": "PYSTUCK_RPYC6", "5.3.1": "PYSTUCK_RPYC5", "4.1.5": "PYSTUCK_RPYC4"}

#: Test files that are not run, and why.
LEFT_OUT = {
    "test_deploy.py": "copies rpyc over SSH and starts rpyc's server there: tests no pystuck",
    "test_gdb.py": "waits for gdb to exit before it tells gdb to quit: hangs with any server",
}

_HIERARCHY = "test_netref_hierachy.py::Test_Netref_Hierarchy::"
_FILE = "the test deletes the socket's file after close(): pystuck's server has deleted it already"
_INSTANCE = (
    "isinstance() with a class that the client has not used before: rpyc's server says False,"
    " pystuck's server answers correctly"
)

#: Tests that pass with rpyc's server and fail with pystuck's on purpose, for each version of rpyc.
_ALWAYS = {
    _HIERARCHY + "test_instancecheck_across_connections": _INSTANCE,
    "test_threaded_server.py::Test_ThreadedServerOverUnixSocket::test_connection": _FILE,
}
DIFFERENCES: dict[str, dict[str, str]] = {
    "6.0.2": _ALWAYS,
    "5.3.1": _ALWAYS,
    "4.1.5": {
        **_ALWAYS,
        "test_ssl.py::Test_SSL::test_ssl_conenction": "the client uses TLS 1.0 and a key of 1024"
        " bits: pystuck requires TLS 1.2. OpenSSL 3 refuses them with rpyc's server too",
    },
}


def numbers(version: str) -> list[int]:
    """The numbers of a version, to sort by."""
    return [int(each) for each in version.split(".")]


def tests_for(version: str, directory: Path) -> str:
    """The version of the tests to use for an installed version of rpyc; empty if there are none."""
    found = [
        each.name
        for each in directory.iterdir()
        if re.fullmatch(r"\d+(\.\d+)+", each.name) and (each / "tests").is_dir()
    ]
    if version in found:
        return version
    same = [each for each in found if numbers(each)[0] == numbers(version)[0]]
    later = [each for each in found if numbers(each) > numbers(version)]
    return max(same, key=numbers) if same else min(later, key=numbers, default="")


def results(version: str, tests: Path, *, ours: bool) -> dict[str, str]:
    """Runs the tests with one kind of server. Returns PASSED, FAILED, ... for each test."""
    here = Path(__file__).parent
    path = [os.environ[INSTALLED[version]], "."]
    argv = [sys.executable, "-m", "pytest", "-v", "--continue-on-collection-errors"]
    argv += ["-p", "no:cacheprovider", "-p", "no:randomly"]
    if ours:
        path = [str(here), os.environ["PYSTUCK_PYTHONPATH"], *path]
        argv += ["-p", "pystuck_servers"]
    argv += [f"--ignore={each}" for each in LEFT_OUT]
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(tests, Path(copy, "tests"))
        # Some tests start ../bin/rpyc_classic.py.
        shutil.copytree(tests.parent / "bin", Path(copy, "bin"))
        if ours:
            Path(copy, "bin", "rpyc_classic.py").rename(Path(copy, "bin", "stock_classic.py"))
            shutil.copy(here / "pystuck_classic.py", Path(copy, "bin", "rpyc_classic.py"))
        done = subprocess.run(
            [*argv, "."],
            cwd=Path(copy, "tests"),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    found = dict(re.findall(r"^(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED)", done.stdout, re.M))
    if not found:
        sys.exit(f"rpyc {version}: pytest ran no test:\n{done.stdout}{done.stderr}")
    return found


def report(version: str, stock: dict[str, str], ours: dict[str, str]) -> bool:
    """Prints what became of the tests of a version. Returns True if all is as expected."""
    listed = DIFFERENCES[version]
    passed = {name for name, result in stock.items() if result == "PASSED"}
    failing = {name for name, result in stock.items() if result in ("FAILED", "ERROR")}
    differing = {name for name in passed if ours.get(name) != "PASSED"}
    unexpected = sorted(differing - set(listed))
    outdated = sorted(name for name in listed if ours.get(name) == "PASSED")
    print(f"  {len(passed)} of {len(stock)} tests pass with rpyc's server,", end=" ")
    print(f"{len(passed - differing)} of these with pystuck's server")
    for name in sorted(failing):
        print(f"  fails with rpyc's server too: {name}")
    for name in sorted(differing & set(listed)):
        print(f"  fails on purpose: {name}: {listed[name]}")
    for name in unexpected:
        print(f"  ERROR: {name}: {ours.get(name, 'not run')}, and passes with rpyc's server")
    for name in outdated:
        print(f"  ERROR: {name}: passes; remove it from DIFFERENCES")
    return not unexpected and not outdated


def check(version: str, tests_version: str, directory: Path) -> bool:
    """Runs the tests of a version with both kinds of server, and compares the results."""
    print(f"rpyc {version}, with the tests of {tests_version}:", flush=True)
    tests = directory / tests_version / "tests"
    stock = results(version, tests, ours=False)
    return report(version, stock, results(version, tests, ours=True))


def main() -> int:
    """Checks each installed version for which there are tests."""
    directory = Path(sys.argv[1])
    chosen = {version: tests_for(version, directory) for version in INSTALLED}
    if not any(chosen.values()):
        sys.exit(f"{directory} contains no source tree of rpyc, as {directory}/6.0.2/tests")
    good = []
    for version, tests_version in chosen.items():
        if tests_version:
            good.append(check(version, tests_version, directory))
        else:
            print(f"rpyc {version}: SKIPPED: {directory} has no tests for it")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
