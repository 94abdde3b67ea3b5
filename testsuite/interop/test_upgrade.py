# SPDX-License-Identifier: BSD-3-Clause
"""Upgrading or removing pystuck changes nothing in a program that runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import SANITIZED, Running, debuggee_environment, pystuck, python

#: Starts a server, and forks a child when a line is on stdin.
PROGRAM = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
import pystuck
server = pystuck.run_server(unix_socket=sys.argv[1], follow_fork=True)
print(server.unix_socket, flush=True)
sys.stdin.readline()
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
print(pystuck._servers[-1].unix_socket, flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer's locks are not made anew in a child")
@pytest.mark.parametrize("how", ["other files", "no files"])
def test_a_program_does_not_need_the_files_of_the_package_any_more(
    how: str, tmp_path: Path, socket_dir: Path
) -> None:
    environment = debuggee_environment()
    for folder in environment["PYTHONPATH"].split(":"):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    environment["PYTHONPATH"] = str(tmp_path)
    program = Running([python(), "-c", PROGRAM, f"{socket_dir}/{{pid}}"], environment)
    try:
        paths = [program.read_line()]
        shutil.rmtree(tmp_path / "pystuck")
        (tmp_path / "pystuck").mkdir()
        for extension in tmp_path.glob("_pystuck*"):
            extension.unlink()
        if how == "other files":
            (tmp_path / "pystuck" / "__init__.py").write_text("raise ImportError\n")
            (tmp_path / "_pystuck.py").write_text("raise ImportError\n")
        program.write("fork\n")
        paths.append(program.read_line())
        for path in paths:
            done = pystuck("--unix-socket", path, "-c", "import pystuck; len(pystuck.why())")
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.strip().isdigit()
            stacks = pystuck("--no-ipython", "--unix-socket", path)
            assert (stacks.returncode, "<_MainThread" in stacks.stdout) == (0, True)
        assert program.stderr() == ""
    finally:
        program.kill()
