"""Completion of pystuck(1) in bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import build_setting

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "packaging/completion"


def run(*argv: str, bin_dir: object = None) -> list[str]:
    """Runs a shell in which pystuck is the program of the build, or the one in `bin_dir`."""
    directory = bin_dir or os.path.dirname(build_setting("PYSTUCK_BIN"))
    path = f"{directory}:{os.environ['PATH']}"
    done = subprocess.run(argv, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def in_bash(before: str, word: str, **where: object) -> list[str]:
    code = f"source '{FILES}/bash/pystuck'; _pystuck pystuck '{word}' '{before}' 2>/dev/null"
    return run("bash", "-c", code + '; printf "%s\\n" "${COMPREPLY[@]}"', **where)


def test_bash_completes_the_options_in_the_help() -> None:
    found = in_bash("pystuck", "--")
    assert {"--pid", "--ssl-key", "--help", "--code"} <= set(found)
    assert len(found) == len(set(found)) > 30
    assert in_bash("pystuck", "--ssl-k") == ["--ssl-key"]


def test_bash_completes_the_arguments_of_options() -> None:
    assert in_bash("--format", "") == ["text", "plain", "json"]
    assert in_bash("--core", str(ROOT / "LICEN")) == [str(ROOT / "LICENSE"), str(ROOT / "LICENSES")]
    assert in_bash("--port", "") == []


def test_bash_completes_users_and_hosts() -> None:
    assert "any" in in_bash("--server-user", "a")
    assert in_bash("--server-user", "roo") == ["root"]
    assert "localhost" in in_bash("--host", "localh")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a pystuck whose --list has lines that another user has made up."""
    program = tmp_path / "pystuck"
    made = f"$(touch${{IFS}}{tmp_path}/executed)"
    program.write_text(
        f"""#!/bin/sh
cat <<'END'
    PID  SINCE                ADDRESS      COMMAND
    123  2026-01-02 03:04:05  @x  {made}  python3 {made}
{made} z
`touch {tmp_path}/executed` z
END
"""
    )
    program.chmod(0o755)
    return tmp_path


def test_bash_executes_nothing_of_what_it_completes(hostile: Path) -> None:
    assert in_bash("--pid", "", bin_dir=hostile) == ["123"]
    assert in_bash("--pid", "12", bin_dir=hostile) == ["123"]
    assert in_bash("--pid", "9", bin_dir=hostile) == []
    assert not (hostile / "executed").exists()


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_executes_nothing_of_what_it_completes(hostile: Path) -> None:
    code = f"source '{FILES}/fish/pystuck.fish'; __pystuck_pids; complete -C 'pystuck --pid '"
    found = run("fish", "--no-config", "-c", code, bin_dir=hostile)
    assert found[0] == "123"
    assert "z" not in found
    assert not (hostile / "executed").exists()


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh_executes_nothing_of_what_it_completes(hostile: Path) -> None:
    code = f"""_describe() {{ print -l -- "${{(@P)2}}" }}
words=(pystuck --pid ''); CURRENT=3; source '{FILES}/zsh/_pystuck'"""
    found = run("zsh", "-f", "-c", code, bin_dir=hostile)
    assert found[0].startswith("123:")
    assert "z" not in found
    assert not (hostile / "executed").exists()


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_completes_options_with_their_help() -> None:
    code = f"source '{FILES}/fish/pystuck.fish'; complete -C 'pystuck --ssl-k'"
    assert run("fish", "--no-config", "-c", code)[:3] == ["--ssl-key", "read", "the"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh_accepts_the_completion() -> None:
    run("zsh", "-n", str(FILES / "zsh/_pystuck"))
