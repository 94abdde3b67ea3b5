# SPDX-License-Identifier: BSD-3-Clause
"""python -m pystuck starts a server, and runs a program as python itself does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    SANITIZED,
    Running,
    build_setting,
    debuggee_environment,
    pystuck,
    python,
    run_program,
)

Done = subprocess.CompletedProcess

#: The options for a port that the kernel chooses.
ANYWHERE = ["--port", "0"]


def run(*arguments: object, options: list[str] | None = None, **more: Any) -> Done[str]:
    """Runs python, or python -m pystuck if `options` is not None."""
    module = [] if options is None else ["-m", "pystuck", *options]
    python_options = more.pop("python_options", [])
    environment = debuggee_environment(**more.pop("env", {}))
    return run_program([python(), *python_options, *module, *arguments], env=environment, **more)


def assert_same(*arguments: object, **more: Any) -> Done[str]:
    """Runs a program with and without python -m pystuck, and checks that both give the same result.

    Returns the result.
    """
    plain = run(*arguments, **more)
    ours = run(*arguments, options=ANYWHERE, **more)
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        plain.returncode,
        plain.stdout,
        plain.stderr,
    )
    return plain


#: Prints everything through which a program can notice how it was started.
SHOW = """\
import json, pickle, sys
class Thing: pass
def code(): return sys._getframe().f_code.co_filename
pickle.loads(pickle.dumps(Thing()))
names = ("__name__", "__doc__", "__package__", "__spec__", "__file__", "__cached__", "__loader__")
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path,
    "names": sorted(name for name in globals() if name != "names"),
    "values": {n: globals()[n] for n in names[:3] if n in globals()},
    "spec": str(globals().get("__spec__")).partition("loader=")[0],
    "file": globals().get("__file__"),
    "cached": globals().get("__cached__"),
    "loader": getattr(__loader__, "__name__", type(__loader__).__name__),
    "loader's": [getattr(__loader__, "name", None), getattr(__loader__, "path", None)],
    "builtins": str(__builtins__),
    "annotations": globals().get("__annotations__"),
    "is main": vars(sys.modules["__main__"]) is globals(),
    "code": code(),
    "division": 7 / 2,
    "flags": code.__code__.co_flags,
}, indent=1))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Creates the script SHOW, in a directory that is not the current directory."""
    path = tmp_path / "scripts" / "show.py"
    path.parent.mkdir()
    path.write_text(SHOW)
    return path


# ---- Scripts, modules and code -------------------------------------------------------------------


def test_a_script_is_run_as_python_runs_it(script: Path) -> None:
    done = assert_same(script, "a", "--port", "1", "-h", "--", "-m", "x")
    shown = json.loads(done.stdout)
    assert shown["argv"][1:] == ["a", "--port", "1", "-h", "--", "-m", "x"]
    assert shown["is main"]


@pytest.mark.parametrize("name", ["scripts/show.py", "./scripts/show.py", "x/../scripts/show.py"])
def test_a_script_may_have_a_relative_name(script: Path, name: str) -> None:
    (script.parent.parent / "x").mkdir()
    assert_same(name, cwd=script.parent.parent)


def test_a_script_may_be_a_symbolic_link(script: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "show").symlink_to("../scripts/show.py")
    assert_same("bin/show", "x", cwd=tmp_path)


def test_a_script_may_be_compiled(script: Path) -> None:
    run("-m", "compileall", "-b", script)
    script.unlink()
    assert_same(f"{script}c")
    Path(f"{script}c").write_bytes(b"not compiled at all")
    assert run(f"{script}c", options=ANYWHERE).returncode == 1


def test_a_script_may_be_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(b"# coding: latin-1\nprint(ascii('\xe9'))\n")
    assert assert_same(path).stdout == "'\\xe9'\n"


@pytest.mark.parametrize("packed", [False, True], ids=["directory", "zip"])
def test_a_directory_or_a_zip_file_is_run(script: Path, tmp_path: Path, packed: bool) -> None:
    script.rename(script.parent / "__main__.py")
    if packed:
        shutil.make_archive(str(tmp_path / "scripts"), "zip", script.parent)
    assert_same("scripts.zip" if packed else "scripts", "x", cwd=tmp_path)


def test_a_directory_without_a_main_is_an_error(tmp_path: Path) -> None:
    assert "__main__" in assert_same(tmp_path).stderr


def test_a_missing_script_is_an_error(tmp_path: Path) -> None:
    assert assert_same("missing.py", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("name", ["show", "package", "package.show"])
def test_a_module_is_run_as_python_runs_it(script: Path, name: str) -> None:
    package = script.parent / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(SHOW)
    (package / "show.py").write_text(SHOW)
    for arguments in (["-m", name, "a", "-h"], [f"-m{name}", "--port", "1"]):
        done = assert_same(*arguments, cwd=script.parent)
        assert json.loads(done.stdout)["is main"]


@pytest.mark.parametrize("name", ["missing", "json.missing", "json", "", ".x", "sys"])
def test_a_module_that_cannot_be_run_is_an_error(name: str) -> None:
    done = assert_same("-m", name)
    assert done.returncode == 1


def test_code_is_run_as_python_runs_it() -> None:
    assert_same("-c", SHOW, "a", "--port", "1")
    assert_same(f"-c{SHOW}", "-c", "x")


def test_an_isolated_interpreter_does_not_add_the_scripts_directory_to_its_path(
    script: Path,
) -> None:
    # With -I the interpreter ignores PYTHONPATH, so this code adds the path of pystuck.
    code = (
        "import runpy, sys\n"
        "sys.path += sys.argv.pop(1).split(':')\n"
        "runpy.run_module('pystuck', run_name='__main__')\n"
    )
    script.write_text("import sys; print(sys.argv[1] in sys.path)\n")
    path = build_setting("PYSTUCK_PYTHONPATH")
    done = run("-I", "-c", code, path, *ANYWHERE, script, script.parent)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "False\n")


def test_processes_that_multiprocessing_spawns_find_the_script(tmp_path: Path) -> None:
    path = tmp_path / "spawns.py"
    path.write_text(
        "import multiprocessing, os\n"
        "class Thing: pass\n"
        "def work(thing): print(type(thing).__name__, __name__, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('spawn').Process(target=work, args=(Thing(),))\n"
        "    process.start()\n"
        "    process.join()\n"
        "    print(process.exitcode)\n"
    )
    assert assert_same(path).stdout == "Thing __mp_main__\n0\n"
    assert assert_same("-m", "spawns", cwd=tmp_path).stdout == "Thing __mp_main__\n0\n"


def test_atexit_functions_and_threads_still_see_the_script_as_main(tmp_path: Path) -> None:
    path = tmp_path / "goes_on.py"
    path.write_text(
        "import atexit, sys, threading\n"
        "x = 'x'\n"
        "def show():\n"
        "    print(x, sys.modules['__main__'].x, sys.argv[1:])\n"
        "def show_at_the_end():\n"
        "    while threading.main_thread().is_alive():\n"
        "        threading.Event().wait(0.001)\n"
        "    show()\n"
        "atexit.register(show)\n"
        "threading.Thread(target=show_at_the_end).start()\n"
    )
    assert assert_same(path, "y").stdout == "x x ['y']\n" * 2


# ---- The end of the program ----------------------------------------------------------------------

ENDINGS = {
    "exit with a status": "import sys; sys.exit(7)",
    "exit with a text": "import sys; sys.exit('why')",
    "exit with None": "import sys; sys.exit()",
    "os._exit": "import os; os._exit(9)",
    "an exception": "def f():\n    raise ValueError('x')\nf()",
    "an exception with a cause": "try:\n    1/0\nexcept Exception as e:\n    raise KeyError from e",
    "an exception with a context": "try:\n    1/0\nexcept Exception:\n    raise KeyError",
    "a base exception": "class X(BaseException): pass\nraise X('x')",
    "a generator's exit": "raise GeneratorExit",
    "a syntax error": "def f(:\n    pass",
    "a bad indent": "if 1:\npass",
    "an import that fails": "import no_such_module",
    "a hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0], a[2].tb_lineno)\n1/0",
    "a hook and atexit": "import atexit\natexit.register(print, 'bye')\n1/0",
    "a recursion": "def f(): f()\ntry:\n    f()\nexcept RecursionError:\n    print('deep')",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}


@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS.keys())
@pytest.mark.parametrize("how", ["script", "module", "code"])
@pytest.mark.rotates(4)
def test_the_program_ends_as_with_python_after(tmp_path: Path, how: str, code: str) -> None:
    (tmp_path / "ends.py").write_text(code)
    arguments = {"script": ["ends.py"], "module": ["-m", "ends"], "code": ["-c", code]}[how]
    if how == "code" and sys.version_info >= (3, 13):
        plain, ours = run(*arguments), run(*arguments, options=ANYWHERE)
        assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
        assert "pystuck" not in ours.stderr  # the traceback does not show the lines of the source
        return
    assert_same(*arguments, cwd=tmp_path)


def test_sys_last_value_is_the_exception_that_ended_the_program(tmp_path: Path) -> None:
    path = tmp_path / "fails.py"
    path.write_text(
        "import atexit, sys\n"
        "def show():\n"
        "    print(sys.last_type, sys.last_value, sys.last_traceback.tb_frame.f_code.co_name)\n"
        "    print(getattr(sys, 'last_exc', None), sys.exc_info())\n"
        "atexit.register(show)\n"
        "raise ValueError('x')\n"
    )
    assert_same(path)


def test_ctrl_c_ends_the_program_with_sigint(tmp_path: Path) -> None:
    path = tmp_path / "waits.py"
    path.write_text("import signal\nprint('waits', flush=True)\nsignal.pause()\n")
    argv = [python(), "-m", "pystuck", *ANYWHERE, str(path)]
    program = Running(argv, debuggee_environment())
    with contextlib.ExitStack() as stack:
        stack.callback(program.kill)
        assert program.read_line() == "waits"
        os.kill(program.pid, signal.SIGINT)
        assert program.wait() == -signal.SIGINT
        assert program.stderr().endswith("\nKeyboardInterrupt\n")


# ---- The server ----------------------------------------------------------------------------------

#: Prints the addresses of the servers, and ends after a line on stdin.
TELL = """
import json, sys
import pystuck
servers = [[server.host, server.port, server.unix_socket] for server in pystuck._servers]
print(json.dumps(servers), flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def running(*options: object, **more: str) -> Iterator[tuple[Running, list[list]]]:
    """Runs TELL with python -m pystuck; gives the program and the addresses of its servers."""
    argv = [python(), "-m", "pystuck", *map(str, options), "-c", TELL]
    program = Running(argv, debuggee_environment(**more))
    try:
        yield program, json.loads(program.read_line())
        program.write("go on\n")
        assert (program.wait(), program.stderr()) == (0, "")
    finally:
        program.kill()


def stacks(*where: object) -> str:
    """Returns the stacks that the client prints for this address."""
    done = pystuck("--no-ipython", *where)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_server_listens_on_the_port(free_port: int) -> None:
    with running("--port", free_port) as (_, servers):
        assert servers == [["127.0.0.1", free_port, None]]
        assert re.search(
            r'File "<string>", line \d+, in <module>\n', stacks("127.0.0.1", free_port)
        )


def test_the_host_can_be_chosen(free_port: int) -> None:
    with running("--host=127.0.0.2", f"--port={free_port}") as (_, servers):
        assert servers == [["127.0.0.2", free_port, None]]


def test_a_unix_socket_can_be_chosen(tmp_path: Path) -> None:
    with running("--unix-socket", "@pystuck-test-{pid}") as (program, servers):
        assert servers == [[None, None, f"@pystuck-test-{program.pid}"]]
        assert "<_MainThread" in stacks("--unix-socket", f"@pystuck-test-{program.pid}")


def test_the_default_port_is_that_of_run_server() -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # it may be in use already
            stack.enter_context(socket.create_server(("127.0.0.1", 6666)))
        done = run("-c", "print('not run')", options=[])
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"python -m pystuck: .*in use.*127\.0\.0\.1:6666.*\n", done.stderr)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ([], "a script, -m module or -c code"),
        (["--port"], "--port"),
        (["--port", "0"], "a script"),
        (["--port", "x", "x.py"], "invalid --port 'x': expected an int from 0 to 65535"),
        (["--port", "70000", "-c", ""], "invalid --port 70000: expected an int from 0 to 65535"),
        (["--host", "192.0.2.1", "-c", ""], "not a loopback address"),
        (["--unix-socket", "", "-c", ""], "invalid --unix-socket '': expected a path"),
        (["--unix-socket", "x", "--port", "1", "-c", ""], "--unix-socket"),
        (["--unix-socket", "x", "--host", "1", "-c", ""], "--unix-socket"),
        (["--no-such-option", "x.py"], "--no-such-option"),
        (["--por", "0", "x.py"], "--por"),
        (["-m"], "-m"),
        (["-c"], "-c"),
        (["-x", "x.py"], "-x"),
    ],
)
@pytest.mark.rotates(3)
def test_an_invalid_option_is_an_error(options: list[str], what: str) -> None:
    done = run(options=options)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_help_describes_the_options() -> None:
    for option in ("-h", "--help"):
        done = run(options=["--port", "0", option, "x.py"])
        assert (done.returncode, done.stderr) == (0, "")
        for word in ("--host", "--port", "--unix-socket", "{pid}", "-m", "-c", "6666"):
            assert word in done.stdout


def test_two_hyphens_end_the_options(tmp_path: Path) -> None:
    (tmp_path / "-x.py").write_text("import sys; print(sys.argv)")
    done = run("--", "-x.py", "--", "y", options=ANYWHERE, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("['-x.py', '--', 'y']\n", "")


def test_the_address_can_come_from_the_environment(tmp_path: Path) -> None:
    with running(PYSTUCK="127.0.0.3:0") as (_, servers):
        assert [host for host, _, _ in servers] == ["127.0.0.3"]


def test_options_override_the_environment(free_port: int) -> None:
    with running("--port", free_port, PYSTUCK=str(free_port)) as (_, servers):
        assert servers == [["127.0.0.1", free_port, None]]
    with running("--port", 0, PYSTUCK="127.0.0.3:0") as (_, servers):
        assert [host for host, _, _ in servers] == ["127.0.0.1"]


@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer's locks are not made anew in a child")
@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--port", "0"], 0),
        (["--port", "0", "--follow-fork"], 1),
        (["--unix-socket", "@pystuck-test-{pid}"], 1),
    ],
    ids=str,
)
def test_forked_children_have_servers_if_an_option_says_so(options: list[str], count: int) -> None:
    code = (
        "import glob, os, warnings; warnings.simplefilter('ignore'); pid = os.fork()\n"
        "if pid: os.waitpid(pid, 0)\n"
        "else:\n"
        "    names = [open(name).read() for name in glob.glob('/proc/self/task/*/comm')]\n"
        "    print(len([name for name in names if name.startswith('pystuck:')]))"
    )
    assert run("-c", code, options=options).stdout == f"{count}\n"


def test_an_invalid_pystuck_variable_is_an_error() -> None:
    done = run("-c", "print('not run')", options=[], env={"PYSTUCK": "nonsense"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "PYSTUCK" in done.stderr
    assert run("-c", "", options=ANYWHERE, env={"PYSTUCK": "nonsense"}).returncode == 0
