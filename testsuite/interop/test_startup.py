# SPDX-License-Identifier: BSD-3-Clause
"""The variable PYSTUCK starts a server in a program that does not import pystuck."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import rpyc
from harness import Running, clean_environment, debuggee_environment, run_python
from hooked import SOURCES, make_environment, version

#: Imports nothing, prints the names of its modules, and ends after a line on stdin.
PLAIN = """
import sys
print(*sorted(sys.modules), flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with an empty file of the same kind."""
    return make_environment(tmp_path_factory.mktemp("plain"), "nothing.pth", "")


def run(interpreter: str, code: str, *options: str, env: dict[str, str]) -> str:
    """Runs the code and returns what it prints. Its status must be 0, and its stderr empty."""
    done = subprocess.run(
        [interpreter, *options, "-c", code],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_program_that_imports_nothing_has_a_server(hooked: str, socket_dir: Path) -> None:
    environment = debuggee_environment(PYSTUCK=f"unix:{socket_dir}/{{pid}}")
    program = Running([hooked, "-c", PLAIN], environment)
    try:
        assert "pystuck" in program.read_line().split()
        path = socket_dir / str(program.pid)
        connection = rpyc.classic.unix_connect(str(path))
        assert connection.eval("__import__('os').getpid()") == program.pid
        connection.close()
        program.write("end\n")
        assert (program.wait(), program.read_rest(), program.stderr()) == (0, "", "")
        assert not path.exists()
    finally:
        program.kill()


@pytest.mark.parametrize("value", [None, "", "0"])
def test_without_the_variable_nothing_is_imported(
    hooked: str, plain: str, value: str | None
) -> None:
    variable = {} if value is None else {"PYSTUCK": value}
    environment = debuggee_environment(**variable)
    assert run(hooked, PLAIN, env=environment) == run(plain, PLAIN, env=environment)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_without_the_variable_there_are_at_most_four_more_system_calls(
    hooked: str, plain: str, tmp_path: Path
) -> None:
    """Than with an empty file: the read() that returns the line.

    In a virtual environment Python reads the file twice, and it may ask for more memory.
    """
    counts = []
    for interpreter in (hooked, plain):
        trace = tmp_path / "trace"
        command = ["strace", "-o", trace, interpreter, "-c", "pass"]
        done = subprocess.run(command, env=debuggee_environment(), check=False)
        if done.returncode != 0:
            pytest.skip("strace may not trace a process here")
        counts.append(len(trace.read_text().splitlines()))
    assert counts[0] - counts[1] <= 4


@pytest.mark.parametrize("options", [["-E"], ["-I"], ["-S", "-E"]], ids=" ".join)
def test_an_interpreter_that_ignores_its_environment_does_not_import_pystuck(
    hooked: str, options: list[str]
) -> None:
    (site,) = Path(hooked).parents[1].glob("lib/*/site-packages")
    path = debuggee_environment()["PYTHONPATH"].split(":")
    code = (
        f"import site, sys; sys.path[:0] = {path}; site.addsitedir({str(site)!r})\n"
        "print({'pystuck', '_pystuck'} & set(sys.modules))"
    )
    environment = debuggee_environment(PYSTUCK="127.0.0.1:0")
    assert run(hooked, code, *options, env=environment) == "set()\n"


@pytest.mark.parametrize(
    "modules",
    [
        {},  # uninstalled, but the .pth file was left
        {"_pystuck": "raise ImportError"},
        {"_pystuck": "1 / 0"},
        {"_pystuck": "is_main_interpreter = lambda: True", "pystuck": "raise OSError"},
    ],
    ids=str,
)
def test_an_error_neither_stops_the_program_nor_prints_anything(
    hooked: str, tmp_path: Path, modules: dict[str, str]
) -> None:
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    environment = clean_environment(PYSTUCK="127.0.0.1:0", PYTHONPATH=str(tmp_path))
    assert run(hooked, "print(1)", env=environment) == "1\n"


def test_an_error_in_the_entry_point_is_not_raised() -> None:
    code = (
        "import json, sys, types, _pystuck_startup\n"
        "sys.modules['_pystuck'] = types.SimpleNamespace(is_main_interpreter=lambda: 1 / 0)\n"
        "print(json.dumps(_pystuck_startup.start()))\n"
    )
    assert run_python(code, PYSTUCK="127.0.0.1:0") is None


def test_a_subinterpreter_does_not_import_pystuck(hooked: str, socket_dir: Path) -> None:
    code = (
        "try: import _interpreters as interpreters\n"
        "except ImportError: import _xxsubinterpreters as interpreters\n"
        "import sys\n"
        "print('pystuck' in sys.modules, flush=True)\n"
        "code = \"import sys; print('pystuck' in sys.modules, flush=True)\"\n"
        "other = interpreters.create()\n"
        "interpreters.run_string(other, code)\n"
        "interpreters.destroy(other)\n"
    )
    environment = debuggee_environment(PYSTUCK=f"unix:{socket_dir}/{{pid}}")
    assert run(hooked, code, env=environment) == "True\nFalse\n"


def test_the_entry_point_for_later_pythons_starts_a_server(tmp_path: Path) -> None:
    """From Python 3.15 on, site reads .start files, which replace code in .pth files."""
    name = "pystuck-startup.start"
    text = (SOURCES / name).read_text()
    interpreter = make_environment(tmp_path, name, text)
    module, function = text.strip().split(":")
    code = "import sys\n"
    if version() < (3, 15):
        code += f"import {module}\n{module}.{function}()\n"
    code += "print(len(sys.modules['pystuck']._servers))"
    assert run(interpreter, code, env=debuggee_environment(PYSTUCK="127.0.0.1:0")) == "1\n"
