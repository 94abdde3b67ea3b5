# SPDX-License-Identifier: BSD-3-Clause
"""rpyc's own tests, with pystuck's server in place of its ThreadedServer.

    testsuite/run-interop rpyc_suite.py DIRECTORY      (make check-rpyc RPYC_SOURCES=DIRECTORY)

DIRECTORY has a source tree of rpyc for each version, with its tests: 6.0.2/tests, 5.3.1/tests,
4.1.5/tests. The packages on PyPI do not have them; the tags of rpyc's repository do. Each suite is
run twice, with rpyc's server and with ours. What passes with rpyc's has to pass with ours but for
the differences that are listed here, all of which have to be there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SOURCES = {"6.0.2": "PYSTUCK_RPYC6", "5.3.1": "PYSTUCK_RPYC5", "4.1.5": "PYSTUCK_RPYC4"}

#: They need an SSH server, gdb's Python, and a script of rpyc's on the PATH.
LEFT_OUT = ("test_ssh.py", "test_gdb.py", "test_deploy.py", "test_teleportation.py")

_INSTANCECHECK = (
    "test_netref_hierachy.py::Test_Netref_Hierarchy::test_instancecheck_across_connections"
)
_UNIX = "test_threaded_server.py::Test_ThreadedServerOverUnixSocket::test_connection"
_TRUE = "stock says False for a class that it has not seen; ours says what is true"
_REMOVED = "the test removes the socket's file, which our server has removed when it was closed"

#: What passes with rpyc's server and not with ours, for each version, and why that is meant.
DIFFERENCES: dict[str, dict[str, str]] = {
    "6.0.2": {_INSTANCECHECK: _TRUE, _UNIX: _REMOVED},
    "5.3.1": {_INSTANCECHECK: _TRUE, _UNIX: _REMOVED},
    "4.1.5": {
        _INSTANCECHECK: _TRUE,
        _UNIX: _REMOVED,
        "test_ssl.py::Test_SSL::test_ssl_conenction": "it wants TLS 1.0; ours speaks 1.2 at least",
    },
}


def results(version: str, tests: Path, *, ours: bool) -> dict[str, str]:
    """What became of each test of a suite: PASSED, FAILED, ..."""
    path = [os.environ[SOURCES[version]], "."]
    argv = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:randomly"]
    if ours:
        path = [str(Path(__file__).parent), os.environ["PYSTUCK_PYTHONPATH"], *path]
        argv += ["-p", "pystuck_servers"]
    argv += [f"--ignore={each}" for each in LEFT_OUT]
    done = subprocess.run(
        [*argv, "."],
        cwd=tests,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    found = dict(re.findall(r"^(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED)", done.stdout, re.M))
    if not found:
        sys.exit(f"rpyc {version}: no test was run:\n{done.stdout}{done.stderr}")
    return found


def check(version: str, tests: Path) -> bool:
    """Runs a suite both ways, and says what differs and is not listed, or the other way round."""
    stock = results(version, tests, ours=False)
    ours = results(version, tests, ours=True)
    passed = {name for name, result in stock.items() if result == "PASSED"}
    differing = {name for name in passed if ours.get(name) != "PASSED"}
    listed = set(DIFFERENCES[version])
    print(f"rpyc {version}: {len(passed - differing)} of {len(passed)} pass with our server")
    for name in sorted(differing - listed):
        print(f"  {name}: {ours.get(name, 'not run')}, and with rpyc's server it passes")
    for name in sorted(listed - differing):
        print(f"  {name}: is listed as a difference ({DIFFERENCES[version][name]}), and is none")
    return differing == listed


def main() -> int:
    """Checks all versions that are there."""
    directory = Path(sys.argv[1])
    found = [each for each in SOURCES if (directory / each / "tests").is_dir()]
    if not found:
        sys.exit(f"{directory} has none of {', '.join(f'{each}/tests' for each in SOURCES)}")
    good = [check(each, directory / each / "tests") for each in found]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
