# SPDX-License-Identifier: BSD-3-Clause
"""Whether the tests that have nothing of ours in them have passed as they are now.

They show that our cases are right about stock rpyc. What comes of them depends on the cases, on
what runs them, and on the stock packages: a hash of all that is in stock_against_stock.hash. This
program writes it, and only if all of them have passed: `make stock-against-stock`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

HASH = HERE / "stock_against_stock.hash"

#: The cases, what starts them and says what is to be expected, and the peers; not the Python that
#: runs them, nor what pytest itself needs.
FILES = [
    *(HERE / f"{name}_cases.py" for name in ("chain", "far", "hang", "helper", "object", "stock")),
    HERE / "harness.py",
    HERE / "programs" / "stock_server.py",
    HERE / "stock_client.py",
    HERE / "test_chains.py",
    HERE / "test_stock_clients.py",
    *(HERE.parent / f"requirements-{name}.txt" for name in ("rpyc4", "rpyc5", "rpyc6")),
]

#: What would leave some of the tests out.
CHOICES = ("PYTEST_ADDOPTS", "PYSTUCK_TEST_PART", "PYSTUCK_TEST_SHARE")


def digest() -> str:
    """The hash of all that the results depend on."""
    total = hashlib.sha256()
    for path in FILES:
        data = path.read_bytes()
        total.update(b"%s\0%d\0" % (path.name.encode(), len(data)) + data)
    return total.hexdigest()


def is_known_to_pass() -> bool:
    """Whether the tests have passed as they are now."""
    return HASH.exists() and HASH.read_text().strip() == digest()


def main() -> int:
    """Runs the tests, and writes the hash if they have passed."""
    before = digest()
    environment = {name: value for name, value in os.environ.items() if name not in CHOICES}
    environment |= {"PYSTUCK_STOCK_AGAINST_STOCK": "yes", "PYSTUCK_STOCK_CLIENTS": "all"}
    jobs = environment.get("PYSTUCK_TEST_JOBS", "4")
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    argv += ["-n", jobs, "--dist", "worksteal", "-m", "stock_against_stock", str(HERE)]
    if status := subprocess.run(argv, env=environment, check=False).returncode:
        return status
    if digest() != before:
        print("something has changed meanwhile: run it again", file=sys.stderr)
        return 1
    HASH.write_text(before + "\n")
    print(f"{HASH} says that they pass")
    return 0


if __name__ == "__main__":
    sys.exit(main())
