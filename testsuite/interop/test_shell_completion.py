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


def run(*argv: str) -> list[str]:
    path = f"{os.path.dirname(build_setting('PYSTUCK_BIN'))}:{os.environ['PATH']}"
    done = subprocess.run(argv, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def in_bash(before: str, word: str) -> list[str]:
    code = f"source '{FILES}/bash/pystuck'; _pystuck pystuck '{word}' '{before}' 2>/dev/null"
    return run("bash", "-c", code + '; printf "%s\\n" "${COMPREPLY[@]}"')


def test_bash_completes_the_options_in_the_help() -> None:
    found = in_bash("pystuck", "--")
    assert {"--pid", "--ssl-key", "--help", "--code"} <= set(found)
    assert len(found) == len(set(found)) > 30
    assert in_bash("pystuck", "--ssl-k") == ["--ssl-key"]


def test_bash_completes_the_arguments_of_options() -> None:
    assert in_bash("--format", "") == ["text", "plain", "json"]
    assert in_bash("--core", str(ROOT / "LICEN")) == [str(ROOT / "LICENSE"), str(ROOT / "LICENSES")]
    assert in_bash("--port", "") == []


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_completes_options_with_their_help() -> None:
    code = f"source '{FILES}/fish/pystuck.fish'; complete -C 'pystuck --ssl-k'"
    assert run("fish", "--no-config", "-c", code)[:3] == ["--ssl-key", "read", "the"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh_accepts_the_completion() -> None:
    run("zsh", "-n", str(FILES / "zsh/_pystuck"))
