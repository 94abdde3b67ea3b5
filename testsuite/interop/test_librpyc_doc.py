# SPDX-License-Identifier: BSD-3-Clause
"""The programs of doc/librpyc.md and of examples/, on stock servers and on pystuck's."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import (
    PATIENCE,
    Debuggee,
    Running,
    build_setting,
    clean_environment,
    command,
    debuggee_environment,
    run_program,
    stock_environment,
    wait_until,
)

ROOT = Path(__file__).parents[2]
MAIN = "__import__('sys').modules['__main__']."


@pytest.fixture(
    scope="module",
    params=["PYSTUCK_RPYC5", "PYSTUCK_RPYC6", "ours"],
    ids=["rpyc5", "rpyc6", "ours"],
)
def server(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """Starts the stuck program with a stock server or pystuck's, once for all tests.

    Checks that the program with pystuck's server ends normally. A stock server of generation 5 does
    not: it has logged an error about the first connection, which used the wrong envelope.
    """
    if request.param == "ours":
        argv, environment = command("stuck.py", '{"port": 0}'), debuggee_environment()
    else:
        argv = command("stock_server.py", "SlaveService")
        environment = stock_environment(request.param)
    debuggee = Debuggee(argv, environment)
    try:
        yield debuggee
        if request.param == "ours":
            debuggee.end_well()
    finally:
        debuggee.kill()


def run(program: Path, server: Debuggee, *arguments: str) -> tuple[int, str, str]:
    """Runs a program on a server. Returns its status, output and error output."""
    done = run_program([program, server.host, server.port, *arguments])
    return done.returncode, done.stdout, done.stderr


# ---- The tutorial --------------------------------------------------------------------------------


def tutorial_programs() -> list[tuple[str, str, str]]:
    """Returns the heading, the code and the output of each program in the tutorial."""
    text = (ROOT / "doc" / "librpyc.md").read_text()
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0]
        for block in re.finditer(r"^```c\n(.*?)^```\n", section, re.MULTILINE | re.DOTALL):
            if "int main" not in block[1]:
                continue
            output = re.match(r"\n```text\n(.*?)^```\n", section[block.end() :], re.M | re.S)
            assert output, f"the program under '{heading}' does not say what it prints"
            found.append((heading, block[1], output[1]))
    return found


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles a program with the librpyc of the build directory, once."""
    directory = tmp_path_factory.mktemp("tutorial")
    built: dict[str, Path] = {}

    def build_once(source: str) -> Path:
        if source not in built:
            built[source] = compile_program(source, directory / f"program{len(built)}")
        return built[source]

    return build_once


def compile_program(source: str, program: Path) -> Path:
    """Compiles C, with the warnings that the library is built with as errors."""
    file = program.with_suffix(".c")
    file.write_text(source)
    compiler, flags, libraries = (
        shlex.split(build_setting(name)) for name in ("CC", "LIBRPYC_CFLAGS", "LIBRPYC_LIBS")
    )
    argv = [*compiler, *flags, "-Werror", str(file), "-o", str(program), *libraries]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return program


def test_the_tutorial_has_programs() -> None:
    assert len(tutorial_programs()) >= 7


@pytest.mark.parametrize(
    ("source", "output"),
    [pytest.param(source, output, id=heading) for heading, source, output in tutorial_programs()],
)
def test_a_program_of_the_tutorial_prints_what_is_said_there(
    build: Callable[[str], Path], server: Debuggee, source: str, output: str
) -> None:
    assert run(build(source), server) == (0, output, "")


# ---- The examples --------------------------------------------------------------------------------


def example(name: str) -> Path:
    """Returns the path of a program in examples/."""
    return Path(build_setting("PYSTUCK_EXAMPLES")) / name


@pytest.mark.parametrize(
    ("expression", "output"),
    [
        ("None", "None\n"),
        ("True", "int: 1\n"),
        ("-7", "int: -7\n"),
        ("2**90", "int, a large one: 1237940039285380274899124224\n"),
        ("0.5", "float: 0.5\n"),
        ("'snow \N{SNOWMAN}'", "str: snow \N{SNOWMAN}\n"),
        ("(1, ('a', [2]))", "tuple of 2:\nint: 1\ntuple of 2:\nstr: a\nbuiltins.list: [2]\n"),
        ("b'x'", "a value of some other type\n"),
    ],
)
def test_read_variable_prints_values_of_all_kinds(
    server: Debuggee, expression: str, output: str
) -> None:
    assert run(example("read_variable"), server, expression) == (0, output, "")


def test_read_variable_reads_a_variable_of_the_program(server: Debuggee) -> None:
    status, output, _ = run(example("read_variable"), server, MAIN + "lock")
    assert status == 0
    assert re.fullmatch(r"_thread\.RLock: <locked _thread\.RLock object .*>\n", output)


def test_read_variable_shows_the_traceback_of_a_failure(server: Debuggee) -> None:
    status, output, errors = run(example("read_variable"), server, MAIN + "nothing")
    assert (status, output) == (1, "")
    first, *traceback = errors.splitlines()
    assert first == traceback[-1]
    assert first == "AttributeError: module '__main__' has no attribute 'nothing'"
    assert traceback[0] == "Traceback (most recent call last):"


def test_read_variable_reports_that_there_is_no_listener() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound, but does not listen
        argv = [example("read_variable"), "127.0.0.1", str(deaf.getsockname()[1]), "1"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": Connection refused\n")


@pytest.mark.parametrize("name", ["read_variable", "callback", "tail_log"])
def test_an_example_says_how_it_is_used(name: str) -> None:
    done = subprocess.run([example(name)], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"usage: \S*{name} HOST PORT.*\n", done.stderr)


def test_callback_has_its_function_called_from_python(server: Debuggee) -> None:
    status, output, errors = run(example("callback"), server)
    assert (status, errors) == (0, "")
    assert output == "1\n1.0625\n1.25\n1.5625\n2\n5 calls\n"


def test_callback_does_without_numpy(start_debuggee: Callable[..., Debuggee]) -> None:
    debuggee = start_debuggee()
    hide = "__import__('sys').modules.__setitem__('numpy', None)"
    assert run(example("read_variable"), debuggee, hide) == (0, "None\n", "")
    status, output, errors = run(example("callback"), debuggee)
    assert (status, errors) == (0, "")
    assert output == "1\n1.0625\n1.25\n1.5625\n2\n5 calls\n"


LOG = (
    "__import__('logging').getLogger('tailed').warning('a %s', 'warning') or "
    "__import__('logging').getLogger('tailed.more').error('an error') or "
    "__import__('logging').getLogger('other').handlers"
)
HANDLERS = "len(__import__('logging').getLogger('tailed').handlers)"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_tail_log_prints_records_until_it_is_interrupted(
    server: Debuggee, end: signal.Signals
) -> None:
    argv = [str(example("tail_log")), str(server.host), str(server.port), "tailed"]
    tail = Running(argv, clean_environment())
    try:
        wait_until(lambda: "tailing" in tail.stderr(), "the handler to be there")
        assert run(example("read_variable"), server, HANDLERS) == (0, "int: 1\n", "")
        status, _, errors = run(example("read_variable"), server, LOG)
        assert (status, errors) == (0, "")
        assert tail.read_line() == "WARNING tailed: a warning"
        assert tail.read_line() == "ERROR tailed.more: an error"
        os.kill(tail.pid, end)
        assert tail.wait() == 0
        assert tail.read_rest() == ""
    finally:
        tail.kill()
    assert run(example("read_variable"), server, HANDLERS) == (0, "int: 0\n", "")


def test_tail_log_ends_when_the_program_does(start_debuggee: Callable[..., Debuggee]) -> None:
    debuggee = start_debuggee()
    argv = [str(example("tail_log")), str(debuggee.host), str(debuggee.port)]
    tail = Running(argv, clean_environment())
    try:
        wait_until(lambda: "tailing" in tail.stderr(), "the handler to be there")
        debuggee.ended = True
        debuggee.kill()
        assert tail.wait() == 1
        assert re.fullmatch(r"tailing\n[^\n]*closed[^\n]*\n", tail.stderr())
    finally:
        tail.kill()


# ---- What the libraries export -------------------------------------------------------------------


def exported(library: Path, *options: str) -> set[str]:
    """Returns the names that a library exports, without those of compilers and sanitizers."""
    argv = ["nm", "--defined-only", "--extern-only", "--format=posix", *options, library]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    symbols = [line.split()[:2] for line in done.stdout.splitlines() if len(line.split()) > 1]
    # An absolute symbol names a version, such as RPYC_0.9.
    names = {name.partition("@")[0] for name, kind in symbols if kind != "A"}
    return {name for name in names if not name.startswith("_")}


def libraries() -> Path:
    """Returns the directory of the built libraries."""
    static = next(each for each in shlex.split(build_setting("LIBRPYC_LIBS")) if ".a" in each)
    return Path(static).parent


def declared() -> set[str]:
    """Returns the names of the functions in rpyc.h."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "librpyc/rpyc.h").read_text(), flags=re.DOTALL)
    return set(re.findall(r"^RPYC_API[^;(]*?\b(rpyc_\w+)\(", text, re.MULTILINE))


@pytest.mark.parametrize(("name", "options"), [("librpyc.a", []), ("librpyc.so", ["--dynamic"])])
def test_a_library_exports_the_functions_of_rpyc_h(name: str, options: list[str]) -> None:
    """Any other exported name could collide with a function of a program."""
    assert len(declared()) > 70
    assert exported(libraries() / name, *options) == declared()


def test_no_symbol_of_a_version_has_vanished() -> None:
    """Programs that were linked with an earlier version need all symbols in rpyc.map."""
    symbols = re.findall(r"^    (rpyc_\w+);", (ROOT / "librpyc/rpyc.map").read_text(), re.MULTILINE)
    assert len(symbols) > 80
    assert exported(libraries() / "librpyc.so", "--dynamic") == set(symbols)


@pytest.mark.skipif("LIBRPYC_SSL_PATH" not in os.environ, reason="built without OpenSSL")
def test_librpyc_ssl_exports_what_librpyc_loads_and_nothing_else() -> None:
    assert exported(libraries() / "librpyc-ssl.so", "--dynamic") == {"rpyc_ssl"}
    assert not (libraries() / "librpyc-ssl.a").exists()  # a static library would export all symbols
