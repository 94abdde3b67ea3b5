# SPDX-License-Identifier: BSD-3-Clause
"""The variable PYSTUCK makes `import pystuck` start a server, and never makes the import fail."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import (
    SANITIZED,
    STRANGER,
    Running,
    debuggee_environment,
    make_capable,
    pystuck,
    python,
    run_python,
)

#: Prints the addresses of the servers, and ends after a line on stdin.
TELL = """
import json, os, sys
import pystuck
def tell():
    servers = [[server.host, server.port, server.unix_socket] for server in pystuck._servers]
    print(json.dumps(servers), flush=True)
tell()
sys.stdin.readline()
"""


@contextlib.contextmanager
def turned_on(value: str, code: str = TELL, **more: str) -> Iterator[Running]:
    """Runs a program with PYSTUCK=value. It must end with status 0 and an empty stderr."""
    program = Running([python(), "-c", code], debuggee_environment(PYSTUCK=value, **more))
    try:
        yield program
        with contextlib.suppress(BrokenPipeError):  # the program may have ended already
            program.write("go on\n")
        assert (program.wait(), program.stderr()) == (0, "")
    finally:
        program.kill()


def servers(value: str, **more: str) -> list[list]:
    """Returns the addresses of the servers of a program with PYSTUCK=value."""
    with turned_on(value, **more) as program:
        return json.loads(program.read_line())


def stacks(*where: object) -> str:
    """Returns the stacks that the client prints for this address."""
    done = pystuck("--no-ipython", *where)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def runtime(socket_dir: Path) -> Path:
    """Returns a valid directory for XDG_RUNTIME_DIR."""
    socket_dir.chmod(0o700)
    return socket_dir


#: The tests of programs whose children start threads.
without_sanitizers = pytest.mark.skipif(
    SANITIZED, reason="AddressSanitizer's locks are not made anew in a child"
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


# ---- Valid values --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "0"])
def test_an_empty_value_and_zero_start_no_server(value: str) -> None:
    assert servers(value) == []


def test_the_value_can_be_a_port(free_port: int) -> None:
    with turned_on(str(free_port)) as program:
        assert json.loads(program.read_line()) == [["127.0.0.1", free_port, None]]
        assert "<_MainThread" in stacks("127.0.0.1", free_port)


def test_the_value_can_be_a_host_and_a_port() -> None:
    ((host, port, path),) = servers("127.0.0.2:0")
    assert (host, port > 0, path) == ("127.0.0.2", True, None)


def test_an_ipv6_address_has_brackets(ipv6: None) -> None:
    ((host, port, _),) = servers("[::1]:0")
    assert (host, port > 0) == ("::1", True)


def test_pid_in_the_path_of_a_unix_socket_is_replaced(socket_dir: Path) -> None:
    with turned_on(f"unix:{socket_dir}/x-{{pid}}-{{pid}}.sock") as program:
        path = f"{socket_dir}/x-{program.pid}-{program.pid}.sock"
        assert json.loads(program.read_line()) == [[None, None, path]]
        assert "<_MainThread" in stacks("--unix-socket", path)


def test_a_unix_socket_may_be_abstract() -> None:
    with turned_on("unix:@pystuck-test-{pid}") as program:
        path = f"@pystuck-test-{program.pid}"
        assert json.loads(program.read_line()) == [[None, None, path]]


def test_1_means_a_unix_socket_for_each_process_in_the_runtime_directory(runtime: Path) -> None:
    with turned_on("1", XDG_RUNTIME_DIR=str(runtime)) as program:
        path = runtime / "pystuck" / f"{program.pid}.sock"
        assert json.loads(program.read_line()) == [[None, None, str(path)]]
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert "<_MainThread" in stacks("--unix-socket", path)
        with turned_on("1", XDG_RUNTIME_DIR=str(runtime)) as other:
            path = runtime / "pystuck" / f"{other.pid}.sock"
            assert json.loads(other.read_line()) == [[None, None, str(path)]]


# ---- Errors --------------------------------------------------------------------------------------

BAD = [
    "yes",
    "on",
    "-1",
    "1.5",
    "65536",
    "99999999999999999999",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:x",
    "127.0.0.1:-1",
    "127.0.0.1:65536",
    "127.0.0.1: 1",
    "127.0.0.1:\u0664",
    "0.0.0.0:0",
    ":0",
    "::1:0",
    "[::1",
    "[::1]",
    "[::1]:",
    "[::]:0",
    "unix:",
    "unix:/nowhere/at/all.sock",
    "unix:" + "x" * 300,
    "%s%d{pid}{0}",
    "\udcff\udcfe",
]

#: Logs to stdout, then imports pystuck.
LOGGED = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
import pystuck
print(pystuck._servers)
"""


@pytest.mark.parametrize("value", BAD)
@pytest.mark.rotates(5)
def test_an_invalid_value_is_only_logged(value: str) -> None:
    quiet = run_python(TELL, PYSTUCK=value)
    assert quiet == []
    with turned_on(value, LOGGED) as program:
        line = program.read_line()
        assert line.startswith("WARNING pystuck ")
        assert f"PYSTUCK={value!a}" in line
        assert program.read_line() == "[]"


def test_a_port_in_use_is_only_logged(taken_port: int) -> None:
    assert servers(str(taken_port)) == []
    with turned_on(str(taken_port), LOGGED) as program:
        assert "Address already in use" in program.read_line()


def test_nothing_is_printed_if_warnings_are_errors(taken_port: int) -> None:
    done = subprocess.run(
        [python(), "-X", "dev", "-W", "error", "-c", "import pystuck"],
        env=debuggee_environment(PYSTUCK=str(taken_port)),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_import_succeeds_though_a_logging_handler_raises(taken_port: int) -> None:
    code = (
        "import logging\n"
        "class Bad(logging.Handler):\n"
        "    def emit(self, record): raise ValueError\n"
        "logging.getLogger().addHandler(Bad())\n"
        "import json, pystuck\n"
        "print(json.dumps(True))\n"
    )
    assert run_python(code, PYSTUCK=str(taken_port)) is True


def test_starting_the_server_imports_no_slow_module(runtime: Path) -> None:
    code = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "import pystuck\n"
        "print(json.dumps([len(pystuck._servers), sorted(set(sys.modules) - before)]))\n"
    )
    count, modules = run_python(code, PYSTUCK="1", XDG_RUNTIME_DIR=str(runtime))
    assert count == 1
    assert not {"argparse", "logging", "runpy", "socket", "subprocess"} & set(modules)


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_an_interpreter_that_ignores_its_environment_starts_no_server(option: str) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); import pystuck; print(pystuck._servers)"
    )
    environment = debuggee_environment(PYSTUCK="127.0.0.1:0")
    path = environment.pop("PYTHONPATH")
    done = subprocess.run(
        [python(), option, "-c", code, path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@needs_root
@pytest.mark.parametrize("call", ["os.setresuid(65533, 0, 0)", "os.setresgid(65533, 0, 0)"])
def test_a_program_with_more_rights_than_its_caller_starts_no_server(call: str) -> None:
    code = f"import os, json; {call}; import pystuck; print(json.dumps(len(pystuck._servers)))"
    assert run_python(code, PYSTUCK="127.0.0.1:0") == 0


#: Prints the kernel's flag AT_SECURE, which is 1 if the program has more rights than its caller,
#: and the number of servers.
SECURE = """
import ctypes, json
import pystuck
AT_SECURE = 23
print(json.dumps([ctypes.CDLL(None).getauxval(AT_SECURE), len(pystuck._servers)]))
"""

#: The number of the capability to read all files: STRANGER needs it to read this Python's library.
DAC_READ_SEARCH = 2

#: The mode and the capabilities of the file of a copied interpreter.
RIGHTS = {
    "none": (0o755, 0),
    "set-user-ID": (0o4755, 0),
    "set-group-ID": (0o2755, 0),
    "file capabilities": (0o755, 1 << DAC_READ_SEARCH),
}


def copy_interpreter(directory: Path, mode: int, capabilities: int) -> Path:
    """Copies the interpreter, with this mode and these capabilities; skips the test on failure."""
    copy = Path(shutil.copy(os.path.realpath(python()), directory / "python"))
    copy.chmod(mode)
    if capabilities:
        make_capable(copy, capabilities)
    return copy


@needs_root
@pytest.mark.skipif(
    SANITIZED,
    reason="the dynamic linker does not preload the sanitizers' library into such a program",
)
@pytest.mark.parametrize("rights", RIGHTS)
def test_an_interpreter_with_more_rights_than_its_caller_starts_no_server(
    rights: str, socket_dir: Path
) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    capability = f"+cap_{DAC_READ_SEARCH}"
    become = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    become += [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
    home = run_python("import json, sys; print(json.dumps(sys.base_prefix))")
    environment = debuggee_environment(PYSTUCK="127.0.0.1:0", PYTHONHOME=home)
    done = subprocess.run(
        [*become, copy_interpreter(socket_dir, *RIGHTS[rights]), "-c", SECURE],
        env=environment,
        cwd=socket_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    if rights == "set-group-ID" and done.returncode != 0:
        pytest.skip(f"another user cannot run this Python: {done.stderr}")
    assert (done.returncode, done.stderr) == (0, "")
    is_secure, servers = json.loads(done.stdout)
    if rights != "none" and not is_secure:
        pytest.skip("the file system is mounted with nosuid")
    assert (is_secure, servers) == ((0, 1) if rights == "none" else (1, 0))


# ---- With servers that the program starts --------------------------------------------------------


def test_run_server_adds_a_server_to_that_of_the_environment(free_port: int) -> None:
    code = "import pystuck; pystuck.run_server(port=0)\n" + TELL
    with turned_on(str(free_port), code) as program:
        first, second = json.loads(program.read_line())
        assert first[1] == free_port
        assert second[1] not in (0, free_port)


def test_run_server_takes_over_the_port_of_the_environments_server(free_port: int) -> None:
    code = f"import pystuck; own = pystuck.run_server(port={free_port})\n" + TELL
    with turned_on(str(free_port), code + "assert pystuck._servers == [own]") as program:
        assert json.loads(program.read_line()) == [["127.0.0.1", free_port, None]]
        assert "<_MainThread" in stacks("127.0.0.1", free_port)


def test_run_server_takes_over_the_unix_socket_of_the_environments_server(socket_dir: Path) -> None:
    path = socket_dir / "s"
    code = f"import os, pystuck; pystuck.run_server(unix_socket={os.fsencode(path)!r})\n" + TELL
    with turned_on(f"unix:{path}", code) as program:
        assert json.loads(program.read_line()) == [[None, None, str(path)]]
        assert "<_MainThread" in stacks("--unix-socket", path)


def test_run_server_fails_for_a_port_of_another_process(taken_port: int) -> None:
    code = (
        f"import pystuck\n"
        f"try: pystuck.run_server(port={taken_port})\n"
        f"except OSError as error: print(error.errno, flush=True)\n"
    )
    with turned_on("127.0.0.1:0", code + TELL) as program:
        assert program.read_line() == "98"
        ((_, port, _),) = json.loads(program.read_line())
        assert "<_MainThread" in stacks("127.0.0.1", port)


def test_stop_server_stops_the_environments_server() -> None:
    code = "import pystuck; pystuck.stop_server()\n" + TELL
    with turned_on("127.0.0.1:0", code) as program:
        assert json.loads(program.read_line()) == []


# ---- Fork ----------------------------------------------------------------------------------------

FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    sys.exit()
"""


def test_a_forked_child_that_imports_pystuck_first_has_its_own_server(runtime: Path) -> None:
    with turned_on("1", FORK + TELL, XDG_RUNTIME_DIR=str(runtime)) as program:
        ((_, _, path),) = json.loads(program.read_line())
        assert path != str(runtime / "pystuck" / f"{program.pid}.sock")
        assert "<_MainThread" in stacks("--unix-socket", path)


def test_a_forked_child_can_start_its_own_server(runtime: Path) -> None:
    code = "import pystuck\n" + FORK + "pystuck.stop_server(); pystuck.run_server(port=0)\n" + TELL
    with turned_on("1", code, XDG_RUNTIME_DIR=str(runtime)) as program:
        ((_, port, _),) = json.loads(program.read_line())
        assert port > 0
        path = runtime / "pystuck" / f"{program.pid}.sock"
        assert "<_MainThread" in stacks("--unix-socket", path)


#: The environment of a program that listens on TCP. Its children listen on other ports.
ON_TCP = {"PYSTUCK": "127.0.0.1:0", "PYSTUCK_FOLLOW_FORK": "1"}


@without_sanitizers
@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({"PYSTUCK": "1"}, 1),
        ({"PYSTUCK": "unix:@pystuck-test-{pid}"}, 1),
        ({"PYSTUCK": "1", "PYSTUCK_FOLLOW_FORK": "0"}, 0),
        ({"PYSTUCK": "127.0.0.1:0"}, 0),
        (ON_TCP, 1),
        ({"PYSTUCK": "unix:/nowhere/{pid}", "PYSTUCK_FOLLOW_FORK": "1"}, 0),
    ],
    ids=str,
)
def test_a_forked_child_has_a_server_if_it_can_have_an_address_of_its_own(
    runtime: Path, variables: dict[str, str], count: int
) -> None:
    code = (
        "import glob, json, pystuck\n" + FORK + "names = glob.glob('/proc/self/task/*/comm')\n"
        "listening = [name for name in names if open(name).read().startswith('pystuck:')]\n"
        "print(json.dumps(len(listening)), flush=True)"
    )
    assert run_python(code, **variables, XDG_RUNTIME_DIR=str(runtime)) == count


@without_sanitizers
def test_run_server_in_a_child_takes_over_the_socket_of_the_environments_server(
    runtime: Path,
) -> None:
    code = (
        "import pystuck\n" + FORK + "path = pystuck._servers[0].unix_socket\n"
        "path = path.replace(str(os.getpid()), '{pid}')\n"
        "own = pystuck.run_server(unix_socket=path)\n"
        "assert pystuck._servers == [own] and pystuck._by_environment == []\n" + TELL
    )
    with turned_on("1", code, XDG_RUNTIME_DIR=str(runtime)) as program:
        ((_, _, path),) = json.loads(program.read_line())
        assert path != str(runtime / "pystuck" / f"{program.pid}.sock")
        assert "<_MainThread" in stacks("--unix-socket", path)


# ---- The runtime directory -----------------------------------------------------------------------

#: Prints the directory for sockets, or the error. argv[1] is used in place of /tmp.
DIRECTORY = """
import json, sys
from pystuck import _socket_directory
_socket_directory.TMP = sys.argv[1]
try:
    answer = _socket_directory.directory()
except OSError as error:
    answer = [type(error).__name__, str(error)]
print(json.dumps(answer))
"""


def directory(tmp: Path, xdg: object = "", umask: int = 0o022) -> str | list[str]:
    """Returns the directory for sockets, or the class and the text of the exception."""
    code = f"import os; os.umask({umask})\n" + DIRECTORY
    return run_python(code, str(tmp), XDG_RUNTIME_DIR=str(xdg))


@pytest.fixture
def tmp(socket_dir: Path) -> Path:
    """Creates a directory with the mode of /tmp."""
    path = socket_dir / "tmp"
    path.mkdir()
    path.chmod(0o1777)
    return path


@pytest.fixture
def fallback(tmp: Path) -> Path:
    """Returns the directory that is used without XDG_RUNTIME_DIR."""
    return tmp / f"pystuck-{os.geteuid()}"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_without_a_runtime_directory_a_directory_in_tmp_is_used(
    tmp: Path, fallback: Path, umask: int
) -> None:
    for _ in range(2):
        assert directory(tmp, umask=umask) == str(fallback)
        assert stat.S_IMODE(fallback.stat().st_mode) == 0o700


def test_the_runtime_directory_is_preferred_to_tmp(tmp: Path, runtime: Path) -> None:
    xdg = runtime / "xdg"
    xdg.mkdir(mode=0o700)
    assert directory(tmp, xdg) == str(xdg / "pystuck")
    assert list(tmp.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o720])
def test_a_runtime_directory_that_other_users_may_write_to_is_not_used(
    tmp: Path, fallback: Path, runtime: Path, mode: int
) -> None:
    xdg = runtime / "xdg"
    xdg.mkdir()
    xdg.chmod(mode)
    assert directory(tmp, xdg) == str(fallback)
    assert list(xdg.iterdir()) == []


@pytest.mark.parametrize("xdg", ["relative", "/nowhere/at/all", "/dev/null", "."])
def test_an_invalid_runtime_directory_is_not_used(tmp: Path, fallback: Path, xdg: str) -> None:
    assert directory(tmp, xdg) == str(fallback)


@needs_root
def test_a_runtime_directory_of_another_user_is_not_used(
    tmp: Path, fallback: Path, runtime: Path
) -> None:
    xdg = runtime / "xdg"
    xdg.mkdir(mode=0o700)
    os.chown(xdg, STRANGER, STRANGER)
    assert directory(tmp, xdg) == str(fallback)


def is_refused(answer: str | list[str], path: Path) -> bool:
    """Returns True if a directory was refused and the message names it."""
    return isinstance(answer, list) and str(path) in answer[1]


def test_a_symbolic_link_is_refused(tmp: Path, fallback: Path, socket_dir: Path) -> None:
    (socket_dir / "target").mkdir(mode=0o700)
    fallback.symlink_to(socket_dir / "target")
    assert is_refused(directory(tmp), fallback)


def test_a_file_in_place_of_the_directory_is_refused(tmp: Path, fallback: Path) -> None:
    fallback.write_text("")
    assert is_refused(directory(tmp), fallback)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720, 0o1777])
def test_a_directory_that_other_users_may_write_to_is_refused(
    tmp: Path, fallback: Path, mode: int
) -> None:
    fallback.mkdir()
    fallback.chmod(mode)
    assert is_refused(directory(tmp), fallback)


@needs_root
def test_a_directory_of_another_user_is_refused(tmp: Path, fallback: Path) -> None:
    fallback.mkdir(mode=0o700)
    os.chown(fallback, STRANGER, STRANGER)
    assert is_refused(directory(tmp), fallback)


def test_a_tmp_without_the_sticky_bit_is_refused(tmp: Path, fallback: Path) -> None:
    tmp.chmod(0o777)
    assert is_refused(directory(tmp), tmp)
    assert list(tmp.iterdir()) == []


@needs_root
def test_a_tmp_of_another_user_is_refused(tmp: Path) -> None:
    os.chown(tmp, STRANGER, STRANGER)
    assert is_refused(directory(tmp), tmp)
