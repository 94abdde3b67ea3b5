# SPDX-License-Identifier: BSD-3-Clause
"""testsuite/check-arrows, on small projects: it must find each kind of fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parent.parent / "check-arrows"

pytestmark = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("nm")), reason="needs a C compiler and nm"
)

HOUSE = """# Architecture

## The house

    library/        what a library does
      low             the first file
      middle          the second one, described
                      on two lines
      high
    client/         a program
      base
      connect/        connects
        find
      eval/           evaluates
        cell
      main

The end.

## Arrows

    client -> library
    client/connect -> client/base, library
    client/eval -> client/connect, library/low

More text.
"""

# The functions that each file calls. Each file defines one function, which has the file's name.
CALLS = {
    "library/low": [],
    "library/middle": ["low"],
    "library/high": ["low", "middle"],
    "client/base": ["high"],
    "client/connect/find": ["base", "high"],
    "client/eval/cell": ["find", "low"],
    "client/main": ["base", "find", "cell", "high"],
}


def compile_file(root: Path, file: str, calls: list[str]) -> None:
    """Writes and compiles a file. The object file has the same path as in a build by automake.

    Those of a library are in .libs, where libtool writes them.
    """
    source = root / f"{file}.c"
    folder = root / "build" / Path(file).parent
    if file.startswith("library/"):
        folder /= ".libs"
    target = folder / f"program-{source.stem}.o"
    for path in (source, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"void {name}(void);" for name in [source.stem, *calls]]
    lines += [f"void {source.stem}(void)", "{", *(f"    {name}();" for name in calls), "}", ""]
    source.write_text("\n".join(lines))
    subprocess.run(["cc", "-c", str(source), "-o", str(target)], check=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compiled")
    for file, calls in CALLS.items():
        compile_file(root, file, calls)
    return root


@pytest.fixture
def project(compiled: Path, tmp_path: Path) -> Path:
    """A copy of the compiled project, in which check-arrows finds no fault."""
    shutil.copytree(compiled, tmp_path, dirs_exist_ok=True)
    (tmp_path / "doc").mkdir()
    (tmp_path / "doc" / "architecture.md").write_text(HOUSE)
    return tmp_path


def check(root: Path, build: str = "build") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(CHECK), str(root / build), str(root / "doc" / "architecture.md")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_project_in_which_all_is_right_passes(project: Path) -> None:
    assert check(project) == (0, "")


@pytest.mark.parametrize(
    ("file", "call", "message"),
    [
        ("library/low", "high", "circle: library/high, library/low"),
        ("library/low", "middle", "library/low -> library/middle: an arrow that"),
        ("library/middle", "cell", "library/middle -> client/eval/cell: an arrow that"),
        ("client/connect/find", "cell", "circle: client/connect/find, client/eval/cell"),
        ("client/connect/find", "main", "client/connect/find -> client/main: an arrow that"),
        ("client/eval/cell", "high", "client/eval/cell -> library/high: an arrow that"),
        ("client/eval/cell", "base", "client/eval/cell -> client/base: an arrow that"),
        ("client/base", "find", "client/base -> client/connect/find: an arrow that"),
    ],
)
@pytest.mark.rotates(4)
def test_a_planted_arrow_is_found(project: Path, file: str, call: str, message: str) -> None:
    compile_file(project, file, [*CALLS[file], call])
    status, output = check(project)
    assert status == 1
    assert message in output
    assert call in output


def test_an_object_file_of_a_removed_source_is_ignored(project: Path) -> None:
    compile_file(project, "library/new", ["low", "middle"])
    (project / "library/new.c").unlink()
    assert check(project) == (0, "")


def test_a_file_that_is_not_listed_is_found(project: Path) -> None:
    compile_file(project, "library/new", ["low"])
    assert check(project) == (1, "check-arrows: library/new: not listed in 'The house'\n")


def test_a_listed_file_that_does_not_exist_is_found(project: Path) -> None:
    architecture = project / "doc" / "architecture.md"
    architecture.write_text(HOUSE.replace("      high\n", "      high\n      gone\n"))
    assert check(project) == (1, "check-arrows: library/gone: listed, but not there\n")


def test_a_directory_without_object_files_is_an_error(project: Path) -> None:
    status, output = check(project, "nothing")
    assert status == 1
    assert "build first" in output
