# SPDX-License-Identifier: BSD-3-Clause
"""Interpreters that read a file of pystuck's when they start, as after `make install`."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import python, run_python

SOURCES = Path(__file__).parents[2] / "pystuck_ext"


def version() -> tuple[int, int]:
    """Returns the version of the debuggees' Python."""
    major, minor = run_python("import json, sys; print(json.dumps(sys.version_info[:2]))")
    return major, minor


def make_environment(folder: Path, name: str, text: str) -> str:
    """Makes a virtual environment with one file that Python reads when it starts.

    Returns the path of the environment's interpreter. This does without the module venv, which
    takes longer.
    """
    base = Path(python()).resolve()
    site = folder / "lib" / "python{}.{}".format(*version()) / "site-packages"
    site.mkdir(parents=True)
    (site / name).write_text(text)
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the file that `make install` installs."""
    hook = (SOURCES / "pystuck-startup.pth").read_text()
    return make_environment(tmp_path_factory.mktemp("hooked"), "pystuck-startup.pth", hook)
