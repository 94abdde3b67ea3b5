# SPDX-License-Identifier: BSD-3-Clause
"""The next server that starts, and pystuck --list, remove the socket files of killed processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import STRANGER, pystuck, run_python

Clean = Callable[[], object]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def runtime(socket_dir: Path) -> Path:
    """Returns a valid directory for XDG_RUNTIME_DIR."""
    socket_dir.chmod(0o700)
    return socket_dir


def leave_socket(path: Path, age: float = 3600) -> None:
    """Creates the file of a Unix socket on which no server listens."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    os.utime(path, (time.time() - age,) * 2)


@pytest.fixture
def sockets(runtime: Path) -> Path:
    """Creates the directory that PYSTUCK=1 uses."""
    path = runtime / "pystuck"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def dead() -> int:
    """Returns the pid of a process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


@pytest.fixture(params=["server", "list"])
def clean(request: pytest.FixtureRequest, runtime: Path) -> Clean:
    """Returns a function that starts a server with PYSTUCK=1, or calls pystuck --list."""
    environment = {"XDG_RUNTIME_DIR": str(runtime)}
    if request.param == "server":
        code = "import json, pystuck; print(json.dumps(len(pystuck._servers)))"
        return lambda: run_python(code, PYSTUCK="1", **environment)
    return lambda: pystuck("--list", **environment)


def test_sockets_of_dead_processes_are_removed(clean: Clean, sockets: Path, dead: int) -> None:
    leave_socket(sockets / f"{dead}.sock")
    clean()
    assert list(sockets.iterdir()) == []


def test_a_socket_of_a_running_process_is_kept(clean: Clean, sockets: Path) -> None:
    path = sockets / f"{os.getpid()}.sock"
    leave_socket(path)
    clean()
    assert path.exists()


def test_a_socket_on_which_a_server_listens_is_kept(clean: Clean, sockets: Path, dead: int) -> None:
    path = sockets / f"{dead}.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        os.utime(path, (0, 0))
        sock.listen(0)
        clean()
        assert path.exists()
        with contextlib.ExitStack() as stack, contextlib.suppress(BlockingIOError):
            while True:  # until its queue is full
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))
        os.utime(path, (0, 0))
        clean()
        assert path.exists()


def test_a_new_socket_is_kept(clean: Clean, sockets: Path, dead: int) -> None:
    path = sockets / f"{dead}.sock"
    leave_socket(path, age=-60)
    clean()
    assert path.exists()


def test_sockets_with_other_names_are_kept(clean: Clean, sockets: Path, dead: int) -> None:
    names = ("{}", "{}.sock.bak", "x{}.sock", "-{}.sock", "0{}.sock", "0.sock")
    paths = {sockets / name.format(dead) for name in names}
    for path in paths:
        leave_socket(path)
    clean()
    assert set(sockets.iterdir()) == paths


def test_the_path_of_sockets_may_have_any_form(socket_dir: Path, dead: int) -> None:
    removed = socket_dir / f"app.{dead}-{dead}"
    kept = [socket_dir / name.format(dead) for name in ("app.{}-1", "app:{0}-{0}", "{}.sock")]
    for path in (removed, *kept):
        leave_socket(path)
    code = (
        "import json, pystuck, sys\n"
        "pystuck.run_server(unix_socket=sys.argv[1])\n"
        "print(json.dumps(None))\n"
    )
    run_python(code, f"{socket_dir}/app.{{pid}}-{{pid}}")
    assert set(socket_dir.iterdir()) == set(kept)


#: Starts servers: with an abstract path; while no entries of a directory may be checked; and while
#: another process removes the first entry that is checked. Prints the number of files each time.
#: Then prints whether a server starts although the directory cannot be checked, and whether a
#: number that is too long counts as a pid.
LOOKS = """
import json, os, sys
import pystuck
from pystuck import _stale_sockets
path = sys.argv[1] + "/{pid}.sock"
os.chdir(sys.argv[1])
def count():
    return len(os.listdir())
pystuck.run_server(unix_socket="@{pid}.sock").close()
found, _stale_sockets._LOOKED_AT = [count()], 0
pystuck.run_server(unix_socket=path).close()
found.append(count())
is_stale, looked_at, _stale_sockets._LOOKED_AT = _stale_sockets._is_stale, [], 200
def vanish(entry, pattern):
    looked_at.append(entry)
    if len(looked_at) == 1:
        raise FileNotFoundError
    return is_stale(entry, pattern)
_stale_sockets._is_stale = vanish
pystuck.run_server(unix_socket=path).close()
found.append(count())
_stale_sockets.remove = None
found.append(not pystuck.run_server(unix_socket=path).closed)
found.append(_stale_sockets._pattern("{pid}.sock").fullmatch("1234567890.sock") is not None)
print(json.dumps(found))
"""


def test_only_some_entries_of_the_directory_are_checked(socket_dir: Path, dead: int) -> None:
    for name in ("{}.sock", "@{}.sock"):
        leave_socket(socket_dir / name.format(dead))
    before = subprocess.Popen(["true"])
    before.wait()
    leave_socket(socket_dir / f"{before.pid}.sock")
    first, second, third, starts, is_pid = run_python(LOOKS, str(socket_dir))
    assert (first, second) == (3, 3)
    assert third in (1, 2)
    assert (starts, is_pid) == (True, False)


def test_files_and_links_are_kept(clean: Clean, sockets: Path, dead: int) -> None:
    target = sockets.parent / "target.sock"
    leave_socket(target)
    link = sockets / f"{dead}.sock"
    link.symlink_to(target)
    os.utime(link, (0, 0), follow_symlinks=False)
    clean()
    assert target.exists()
    assert link.is_symlink()
    link.unlink()
    link.write_text("precious")
    os.utime(link, (0, 0))
    clean()
    assert link.read_text() == "precious"


def test_the_file_is_removed_without_a_descriptor(socket_dir: Path) -> None:
    """The program has closed the server's descriptor, and can open no other."""
    code = (
        "import json, os, resource, sys, pystuck\n"
        "server = pystuck.run_server(unix_socket=sys.argv[1])\n"
        "os.closerange(3, 256)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n"
        "server.close()\n"
        "print(json.dumps(os.path.exists(sys.argv[1])))\n"
    )
    assert run_python(code, f"{socket_dir}/socket") is False


@needs_root
def test_a_socket_of_another_user_is_kept(clean: Clean, sockets: Path, dead: int) -> None:
    path = sockets / f"{dead}.sock"
    leave_socket(path)
    os.chown(path, STRANGER, STRANGER)
    clean()
    assert path.exists()
