# SPDX-License-Identifier: BSD-3-Clause
"""testsuite/roots and make check-on. Nothing is installed: /usr of this machine is the release."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PATIENCE, THREAD_SANITIZED, clean_environment, wait_until

TESTSUITE = Path(__file__).resolve().parent.parent
ROOTS = TESTSUITE / "roots"

pytestmark = pytest.mark.skipif(THREAD_SANITIZED, reason="shells do not run with its library")

needs_root = pytest.mark.skipif(
    os.geteuid() != 0
    or subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode,
    reason="needs root and mount namespaces",
)

Done = subprocess.CompletedProcess


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables with a cache folder, a home folder and an archive for this test."""
    (tmp_path / "home").mkdir()
    env = {k: v for k, v in clean_environment().items() if not k.startswith("PIP_")}
    return {
        **env,
        "HOME": str(tmp_path / "home"),
        "PYSTUCK_ROOTS": str(tmp_path / "cache"),
        "DEBIAN_MIRROR": "http://127.0.0.1:1/debian",
    }


def run(environment: dict[str, str], *arguments: object, before: str = "") -> Done[str]:
    """Runs testsuite/roots. `before`: shell commands to run first, in a mount namespace."""
    command = [str(ROOTS), *map(str, arguments)]
    if before:
        command = ["unshare", "--mount", "sh", "-ec", before + '\nexec "$@"', "sh", *command]
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


# ---- Arguments -----------------------------------------------------------------------------------


def test_the_list_has_every_cpython_and_its_release(environment: dict[str, str]) -> None:
    done = run(environment, "--list")
    assert done.returncode == 0, done.stderr
    table = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert table[0] == ["PYTHON", "RELEASE", "FOLDER"]
    assert [row[:2] for row in table[1:]] == [
        ["3.9", "bullseye"],
        ["3.11", "bookworm"],
        ["3.13", "trixie"],
        ["3.14", "sid"],
        ["3.15", "sid"],
    ]
    assert {row[2] for row in table[1:]} == {"not installed"}
    assert not os.path.exists(environment["PYSTUCK_ROOTS"])


def test_a_release_gets_all_its_pythons_with_headers_and_venv(environment: dict[str, str]) -> None:
    packages = run(environment, "--packages", "3.15").stdout.split()
    assert {"gcc", "make", "libedit-dev", "python3.14-dev", "python3.15-venv"} <= set(packages)


def test_the_address_of_the_archive_is_printed(environment: dict[str, str]) -> None:
    assert run(environment, "--mirror").stdout == "http://127.0.0.1:1/debian\n"


@pytest.mark.parametrize(
    "arguments",
    [["3.12"], ["--make", "3.8"], ["--remove", "sid"], ["--packages", "3"], ["3.12", "true"]],
    ids=" ".join,
)
def test_an_unknown_cpython_is_an_error_that_names_the_known_ones(
    environment: dict[str, str], arguments: list[str]
) -> None:
    done = run(environment, *arguments)
    unknown = next(a for a in arguments if not a.startswith("--"))
    assert done.returncode == 1
    assert done.stderr == (
        f"roots: unknown CPython '{unknown}': expected one of 3.9 3.11 3.13 3.14 3.15,"
        " which Debian releases have\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--list", "3.9"],
        ["--mirror", "3.9"],
        ["--make"],
        ["--remove", "3.9", "3.11"],
        ["--what"],
        ["--build"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_show_how_it_is_used(
    environment: dict[str, str], arguments: list[str]
) -> None:
    done = run(environment, *arguments)
    assert done.returncode == 2
    assert "testsuite/roots --list " in done.stderr
    assert not os.path.exists(environment["PYSTUCK_ROOTS"])


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("", "make check-on: name a CPython: PYTHON=3.13 of a Debian release"),
        ("3.12", "roots: unknown CPython '3.12'"),
        ("/nowhere/python3", "make check-on: no interpreter /nowhere/python3 found"),
        ("true", "make check-on: true does not run as Python"),
    ],
)
def test_check_on_says_what_is_wrong_with_the_python(
    environment: dict[str, str], tmp_path: Path, python: str, complaint: str
) -> None:
    done = subprocess.run(
        [str(TESTSUITE / "run-on")],
        cwd=tmp_path,
        env={**environment, "ON": python, "UNIT_TESTS": "-", "abs_srcdir": str(TESTSUITE.parent)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert complaint in done.stderr


# ---- Installing ----------------------------------------------------------------------------------


@needs_root
def test_without_debootstrap_it_says_what_to_install(environment: dict[str, str]) -> None:
    found = shutil.which("debootstrap", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    hide = f"mount --bind /dev/null {found}" if found else ""
    done = run(environment, "--make", "3.9", before=hide)
    assert done.returncode == 1
    assert done.stderr == "roots: debootstrap is missing: apt-get install debootstrap\n"


@pytest.fixture
def broken_debootstrap(environment: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """A debootstrap that mounts, as the real one does, and fails. Returns the file with its
    arguments."""
    tool = tmp_path / "bin" / "debootstrap"
    tool.parent.mkdir()
    tool.write_text(
        f"""#!/bin/sh
        echo "$@" >{tmp_path}/arguments
        mkdir -p "$3/proc" && mount -t proc proc "$3/proc"
        echo "E: no such release"
        exit 1
        """
    )
    tool.chmod(0o755)
    environment["PATH"] = f"{tool.parent}:{environment['PATH']}"
    yield tmp_path / "arguments"
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@needs_root
def test_an_installation_that_fails_leaves_no_release(
    environment: dict[str, str], broken_debootstrap: Path
) -> None:
    done = run(environment, "--make", "3.9")
    cache = Path(environment["PYSTUCK_ROOTS"])
    assert done.returncode == 1
    assert "E: no such release\n" in done.stderr
    assert f"roots: cannot install Debian bullseye: see {cache}/bullseye.log" in done.stderr
    assert broken_debootstrap.read_text().split()[-3:] == [
        "bullseye",
        f"{cache}/bullseye.new",
        environment["DEBIAN_MIRROR"],
    ]
    assert not (cache / "bullseye").exists()
    assert "bullseye   not installed" in run(environment, "--list").stdout
    assert run(environment, "3.9", "true").returncode == 1
    assert run(environment, "--remove", "all").returncode == 0
    assert {entry.name for entry in cache.iterdir()} == {"bullseye.lock"}


# ---- Entering ------------------------------------------------------------------------------------


@pytest.fixture
def release(environment: dict[str, str]) -> str:
    """Makes a release of this machine's files. Returns the commands that mount them."""
    root = Path(environment["PYSTUCK_ROOTS"]) / "trixie"
    mounts = "mount --make-rprivate /\n"
    for folder in ("usr", "bin", "lib", "lib64", "sbin"):
        if os.path.islink(f"/{folder}"):
            root.mkdir(parents=True, exist_ok=True)
            (root / folder).symlink_to(os.readlink(f"/{folder}"))
        elif os.path.isdir(f"/{folder}"):
            (root / folder).mkdir(parents=True)
            mounts += f"mount --bind /{folder} {root}/{folder}\n"
    for folder in ("etc", "mnt", "var/tmp"):
        (root / folder).mkdir(parents=True)
    for name in ("passwd", "group", "ld.so.cache", "ld.so.conf", "alternatives"):
        if os.path.exists(f"/etc/{name}"):
            subprocess.run(["cp", "-a", f"/etc/{name}", root / "etc"], check=True)
    (root / "etc" / "release").write_text("trixie")
    (root / ".packages").write_text(run(environment, "--packages", "3.13").stdout)
    return mounts


@needs_root
def test_a_command_finds_the_sources_and_its_folders(
    environment: dict[str, str], release: str, tmp_path: Path
) -> None:
    for name in ("build", "env"):
        (tmp_path / name).mkdir()
    done = run(
        environment,
        *("--build", tmp_path / "build", "--env", tmp_path / "env", "3.13", "sh", "-c"),
        """
        pwd; cat /etc/release; echo " $HOME"; ls -d /proc/[0-9]* | wc -l
        touch here /env/there /tmp/x /etc/y $HOME/z || exit 1
        for readonly in /source /usr /sys; do touch $readonly/w 2>/dev/null && echo $readonly; done
        cmp /source/testsuite/roots "$1" || exit 1
        exit 7
        """,
        *("sh", "/source/testsuite/roots"),
        before=release,
    )
    assert done.returncode == 7, done.stderr
    where, what, processes = done.stdout.splitlines()
    assert (where, what) == ("/build", "trixie /home/user")
    assert int(processes) < 6, "in a process namespace of its own"
    assert os.listdir(tmp_path / "build") == ["here"]
    assert os.listdir(tmp_path / "env") == ["there"]
    assert sorted(os.listdir(Path(environment["PYSTUCK_ROOTS"]) / "trixie" / "mnt")) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@needs_root
def test_a_command_has_the_configuration_of_pip(
    environment: dict[str, str], release: str, tmp_path: Path
) -> None:
    for name in ("wheels", "index/simple", "home/.config/pip"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "it").touch()
    (tmp_path / "index" / "files").mkdir()
    (tmp_path / "home/.config/pip/pip.conf").write_text(
        f"[global]\nfind-links =\n    {tmp_path}/wheels\n    {tmp_path}/missing\n"
    )
    environment["PIP_INDEX_URL"] = f"file://{tmp_path}/index/simple"
    environment["PYSTUCK_TEST_ENV"] = environment["SECRET"] = "not passed on"
    done = run(
        environment,
        *("3.13", "sh", "-c", 'cat ~/.config/pip/pip.conf; env; ls -d "$@"', "sh"),
        *(tmp_path / "wheels/it", tmp_path / "index/simple/it", tmp_path / "index/files"),
        before=release,
    )
    assert done.returncode == 0, done.stderr
    assert f"    {tmp_path}/wheels\n" in done.stdout
    assert f"PIP_INDEX_URL=file://{tmp_path}/index/simple\n" in done.stdout
    assert "not passed on" not in done.stdout


@needs_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_what_runs_ends_with_the_script(
    environment: dict[str, str], release: str, tmp_path: Path, number: signal.Signals
) -> None:
    alive = tmp_path / "fifo"
    os.mkfifo(alive)
    command = ["unshare", "--mount", "sh", "-ec", release + 'exec "$@"', "sh", str(ROOTS)]
    command += ["--build", str(tmp_path), "3.13", "sh", "-c", "exec 9>fifo; echo in; read line"]
    script = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with script, open(os.open(alive, os.O_RDONLY | os.O_NONBLOCK), "rb") as fifo:
        assert script.stdout.read(3) == b"in\n"
        script.send_signal(number)
        assert script.wait(PATIENCE) == -number
        # The command keeps the FIFO open until it ends.
        wait_until(lambda: fifo.read() == b"", "the command to end")
    assert run(environment, "--remove", "3.13").returncode == 0
    assert not (Path(environment["PYSTUCK_ROOTS"]) / "trixie").exists()
