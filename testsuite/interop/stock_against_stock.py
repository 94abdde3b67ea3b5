# SPDX-License-Identifier: BSD-3-Clause
"""Records that the tests of stock clients with stock servers have passed.

These tests show that the cases describe stock rpyc correctly. Their results depend on the cases, on
the code that runs them, and on the stock packages. stock_against_stock.hash has a hash of all these
files. This program (`make stock-against-stock`) runs the tests, and writes the hash if all pass.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

HASH = HERE / "stock_against_stock.hash"

#: The cases, the code that runs and judges them, and the packages of the peers; not the Python that
#: runs them, nor the packages of pytest.
FILES = [
    *sorted(set(HERE.glob("*_cases.py")) - {HERE / "crowd_cases.py", HERE / "numpy_cases.py"}),
    HERE / "cases.py",
    HERE / "harness.py",
    HERE / "programs" / "stock_server.py",
    HERE / "stock_client.py",
    HERE / "test_chains.py",
    HERE / "test_stock_clients.py",
    *(HERE.parent / f"requirements-{name}.txt" for name in ("rpyc4", "rpyc5", "rpyc6")),
]

#: Variables that would leave out some of the tests.
CHOICES = ("PYTEST_ADDOPTS", "PYSTUCK_TEST_PART", "PYSTUCK_TEST_SHARE")


def digest() -> str:
    """Returns the hash of FILES, without comments and empty lines."""
    total = hashlib.sha256()
    for path in FILES:
        lines = [line for line in path.read_bytes().splitlines() if counts(line)]
        total.update(b"%s\0%d\0" % (path.name.encode(), len(lines)) + b"\n".join(lines))
    return total.hexdigest()


def counts(line: bytes) -> bool:
    """Whether a line is more than a comment or empty."""
    text = line.strip()
    return bool(text) and not text.startswith(b"#")


def is_known_to_pass() -> bool:
    """Returns True if the tests have passed with the present files."""
    return HASH.exists() and HASH.read_text().strip() == digest()


def main() -> int:
    """Runs the tests, and writes the hash if all have passed. Returns the exit status."""
    before = digest()
    environment = {name: value for name, value in os.environ.items() if name not in CHOICES}
    environment |= {"PYSTUCK_STOCK_AGAINST_STOCK": "yes", "PYSTUCK_STOCK_CLIENTS": "all"}
    environment["PYSTUCK_TURN"] = ""
    jobs = environment.get("PYSTUCK_TEST_JOBS", "6")
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    argv += ["-n", jobs, "--dist", "worksteal", "-m", "stock_against_stock", str(HERE)]
    if status := subprocess.run(argv, env=environment, check=False).returncode:
        return status
    if digest() != before:
        print("a file has changed while the tests ran: run them again", file=sys.stderr)
        return 1
    HASH.write_text(before + "\n")
    print(f"all passed: wrote {HASH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
