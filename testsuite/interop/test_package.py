# SPDX-License-Identifier: BSD-3-Clause
"""The functions of the package pystuck except run_server: stop_server, stacks, run_client, main."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import (
    PATIENCE,
    Debuggee,
    Running,
    build_setting,
    debuggee_environment,
    python,
    run_program,
    run_python,
    stock_environment,
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]
Done = subprocess.CompletedProcess


def pystuck(debuggee: Debuggee) -> Done[str]:
    """Runs the client with a debuggee."""
    where = [debuggee.host, debuggee.port]
    if debuggee.unix_socket:
        where = ["--unix-socket", debuggee.unix_socket]
    return run_program([build_setting("PYSTUCK_BIN"), "--no-ipython", *where])


# ---- stop_server ---------------------------------------------------------------------------------

#: Defines a function that tells if a server listens on an address, which is a port or a path.
LISTENS = """
import json, os, socket, sys
import pystuck
def listens(address):
    family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
    with socket.socket(family) as sock:
        try:
            sock.connect(("127.0.0.1", address) if isinstance(address, int) else address)
        except OSError:
            return False
        return True
"""


def test_stop_server_closes_every_server_of_the_process(socket_dir: Path) -> None:
    answer = run_python(
        LISTENS + "kept = pystuck.run_server(port=0)\n"
        "dropped = pystuck.run_server(port=0).port\n"
        "closed = pystuck.run_server(port=0)\n"
        "closed.close()\n"
        "path = pystuck.run_server(unix_socket=sys.argv[1]).unix_socket\n"
        "addresses = [kept.port, dropped, path]\n"
        "before = [listens(address) for address in addresses]\n"
        "result = pystuck.stop_server()\n"
        "after = [listens(address) for address in addresses]\n"
        "print(json.dumps([before, result, after, os.path.exists(path)]))\n",
        str(socket_dir / "s"),
    )
    assert answer == [[True] * 3, None, [False] * 3, False]


def test_stop_server_may_be_called_before_run_server_and_twice_after_it() -> None:
    answer = run_python(
        LISTENS + "results = [pystuck.stop_server()]\n"
        "port = pystuck.run_server(port=0).port\n"
        "results += [pystuck.stop_server(), pystuck.stop_server()]\n"
        "again = pystuck.run_server(port=port)\n"
        "print(json.dumps([results, listens(port)]))\n"
    )
    assert answer == [[None] * 3, True]


def test_stop_server_closes_the_newest_first() -> None:
    answer = run_python(
        "import json\n"
        "import _pystuck, pystuck\n"
        "closed = []\n"
        "class Server:\n"
        "    closed = False\n"
        "    def __init__(self, *args, **kwargs): self.port = args[0]['port']\n"
        "    def close(self): closed.append(self.port)\n"
        "_pystuck.run_server = Server\n"
        "for port in range(3): pystuck.run_server(port=port)\n"
        "pystuck.stop_server()\n"
        "print(json.dumps(closed))\n"
    )
    assert answer == [2, 1, 0]


def test_stop_server_in_a_forked_child_does_not_stop_the_parents_servers(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    code = (
        "import os, warnings; warnings.simplefilter('ignore')\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    pystuck.stop_server()\n"
        "    os._exit(0)\n"
        "print(os.waitpid(pid, 0)[1], flush=True)\n"
        "sys.stdin.readline()\n"
    )
    debuggee = start_debuggee("plain.py", arguments=("", code), unix_socket=str(socket_dir / "s"))
    debuggee.write("fork\n")
    assert debuggee.read_line() == "0"
    assert connect(debuggee).eval("1+1") == 2


def test_a_client_may_stop_the_server(start_debuggee: Start, connect: Connect) -> None:
    debuggee = start_debuggee("plain.py")
    client = connect(debuggee)
    with pytest.raises((EOFError, ConnectionError)):
        client.modules.pystuck.stop_server()
        client.ping()
        client.ping()
    assert debuggee.is_alive()


# ---- Imports -------------------------------------------------------------------------------------


def test_patch_greenlet_is_accepted_and_patches_nothing() -> None:
    answer = run_python(
        "import json, sys\n"
        "import pystuck\n"
        "pystuck.run_server('127.0.0.1', 0, None, True)\n"
        "pystuck.run_server(port=0, patch_greenlet=False)\n"
        "print(json.dumps('greenlet' in sys.modules))\n"
    )
    assert answer is False


def test_import_pystuck_imports_no_slow_module() -> None:
    answer = run_python(
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "import pystuck\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    slow = {"argparse", "ast", "asyncio", "logging", "runpy", "socket", "subprocess"}
    assert not slow & set(answer)


@pytest.mark.parametrize("path", ["sys.path", "pystuck.__path__"])
def test_run_server_needs_no_import(connect: Connect, path: str) -> None:
    # Imports fail in a chroot, for example, or for a user who may not read Python's library.
    code = (
        "import json, sys\n"
        "import pystuck\n"
        f"{path}.clear()\n"
        "sys.path_importer_cache.clear()\n"
        "server = pystuck.run_server(port=0)\n"
        "print(json.dumps({'host': server.host, 'port': server.port}), flush=True)\n"
        "sys.stdin.readline()\n"
        "print('went on')\n"
    )
    debuggee = Debuggee([python(), "-c", code], debuggee_environment())
    with contextlib.ExitStack() as stack:
        stack.callback(debuggee.kill)
        assert connect(debuggee).eval("1+1") == 2
        assert "<_MainThread" in pystuck(debuggee).stdout
        debuggee.end_well()


#: Holds the import lock, so that other threads cannot import modules.
STUCK_IMPORT = """
import _imp
_imp.acquire_lock()
print("taken", flush=True)
sys.stdin.readline()
_imp.release_lock()
"""


def test_the_client_prints_the_stacks_while_the_import_lock_is_held(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", STUCK_IMPORT))
    debuggee.write("take it\n")
    assert debuggee.read_line() == "taken"
    done = pystuck(debuggee)
    assert (done.returncode, done.stderr) == (0, "")
    assert "exec(after)" in done.stdout


def test_exceptions_are_sent_while_the_import_lock_is_held(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py", arguments=("", STUCK_IMPORT))
    client = connect(debuggee)
    client.execute("import json")
    debuggee.write("take it\n")
    assert debuggee.read_line() == "taken"
    with pytest.raises(ValueError, match="in raw_decode"):
        client.eval("json.loads('x')")


# ---- Stacks --------------------------------------------------------------------------------------


@pytest.fixture
def greenlets(start_debuggee: Start) -> Debuggee:
    """Starts a program with greenlets."""
    path = [build_setting("PYSTUCK_PYTHONPATH"), build_setting("PYSTUCK_GREENLET")]
    return start_debuggee("greenlets.py", env={"PYTHONPATH": os.pathsep.join(path)})


def test_greenlets_are_shown_with_the_threads(greenlets: Debuggee) -> None:
    done = pystuck(greenlets)
    assert (done.returncode, done.stderr) == (0, "")
    stacks = done.stdout.split("\n\n")
    (deep,) = (stack for stack in stacks if "suspended_deeply" in stack)
    assert re.match(r"<greenlet.greenlet object at 0x\w+ .*>\n  File", deep)
    assert deep.count(", in suspended_deeply") == 4
    assert deep.endswith("parent.switch()\n  # waits until another greenlet switches to it")
    assert sum(", in suspended_in_main" in stack for stack in stacks) == 3
    assert stacks[0].startswith("<_MainThread")
    assert "its repr raised RuntimeError" in done.stdout


def test_the_frames_of_a_running_greenlet_are_shown_in_the_stack_of_its_thread(
    greenlets: Debuggee,
) -> None:
    done = pystuck(greenlets)
    (stack,) = re.findall(r"(<.*>)\n(?:  .*\n)*  .*, in running_in_thread\n", done.stdout)
    assert stack.startswith("<Thread(")


def test_the_search_for_greenlets_runs_no_code_of_the_program(
    greenlets: Debuggee, connect: Connect
) -> None:
    assert pystuck(greenlets).stdout.count(", in suspended_in_main") == 3
    assert list(connect(greenlets).modules["__main__"].touched) == []


def test_every_dump_shows_the_same_greenlets(greenlets: Debuggee) -> None:
    first = pystuck(greenlets).stdout
    assert pystuck(greenlets).stdout == first


def test_threads_and_greenlets_can_be_left_out(greenlets: Debuggee, connect: Connect) -> None:
    probe = connect(greenlets).modules["pystuck.thread_probe"]
    everything = probe.stacks_repr()
    threads = probe.stacks_repr(greenlets=False)
    rest = probe.stacks_repr(False)
    assert "MainThread" in threads
    assert "suspended_" not in threads
    assert "MainThread" not in rest
    assert "suspended_deeply" in rest
    assert everything == threads + "\n" + rest
    assert probe.stacks_repr(False, False) == ""
    assert "\n".join(probe.stacks_repr_generator(True, True)) == everything


def test_probe_prints_the_stacks() -> None:
    done = subprocess.run(
        [python(), "-c", "from pystuck import thread_probe\nthread_probe.probe(greenlets=False)"],
        env=debuggee_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "<_MainThread" in done.stdout
    assert done.stdout.count("  File ") == 1
    assert '  File "<string>", line 2, in <module>\n' in done.stdout


def test_greenlet_frame_generator_gives_greenlets_and_their_frames(
    greenlets: Debuggee, connect: Connect
) -> None:
    client = connect(greenlets)
    client.execute(
        "import greenlet, __main__ as ns\n"
        "from pystuck.greenlets import greenlet_frame_generator\n"
        "found = dict(greenlet_frame_generator())\n"
        "base = greenlet.greenlet.gr_frame.__get__\n"
        "answer = (\n"
        "    all(found[g] is base(g) for g in (ns.suspended, ns.deep, ns.touchy, ns.nameless)),\n"
        "    ns.not_started in found,\n"
        "    ns.ended in found,\n"
        "    list(found.values()).count(None),\n"
        ")"
    )
    assert client.namespace["answer"] == (True, False, False, 2)


def test_the_search_for_greenlets_does_not_import_greenlet() -> None:
    answer = run_python(
        "import json, sys\n"
        "from pystuck import greenlets, thread_probe\n"
        "stacks = thread_probe.stacks_repr(threads=False)\n"
        "found = list(greenlets.greenlet_frame_generator())\n"
        "print(json.dumps([stacks, found, 'greenlet' in sys.modules]))\n",
        PYTHONPATH=os.pathsep.join(
            [build_setting("PYSTUCK_PYTHONPATH"), build_setting("PYSTUCK_GREENLET")]
        ),
    )
    assert answer == ["", [], False]


#: Loads the original pystuck beside this one, and prints the stacks of greenlets from both.
COMPARE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location(
    "original", sys.argv[1] + "/pystuck/__init__.py",
    submodule_search_locations=[sys.argv[1] + "/pystuck"],
)
sys.modules["original"] = importlib.util.module_from_spec(spec)
sys.modules["pystuck.rpyc_tools"] = type(sys)("replaces the original server")
sys.modules["pystuck.rpyc_tools"].__dict__.update(run_server=0, DEFAULT_HOST=0, DEFAULT_PORT=0)
spec.loader.exec_module(sys.modules["original"])
import greenlet, original.thread_probe, pystuck.thread_probe
def wait(n):
    return wait(n - 1) if n else greenlet.getcurrent().parent.switch()
kept = [greenlet.greenlet(wait) for _ in range(3)]
for n, one in enumerate(kept): one.switch(n)
def suspended(probe, *args, **kwargs):
    texts = probe.stacks_repr_generator(*args, **kwargs)
    return [text for text in texts if "suspended" in text]
for how in ({"threads": False}, {"threads": False, "greenlets": False}):
    print(json.dumps([suspended(p.thread_probe, **how) for p in (original, pystuck)]))
"""


def test_the_stacks_of_greenlets_are_the_same_as_from_the_original() -> None:
    path = [build_setting("PYSTUCK_PYTHONPATH"), build_setting("PYSTUCK_GREENLET")]
    done = subprocess.run(
        [python(), "-c", COMPARE, build_setting("PYSTUCK_ORIGINAL")],
        env=debuggee_environment(PYTHONPATH=os.pathsep.join(path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (theirs, ours), without = map(json.loads, done.stdout.splitlines())
    assert len(theirs) == 3
    assert sorted(ours) == sorted(theirs)  # the original's order is that of the garbage collector
    assert without == [[], []]


# ---- The original's client -----------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["PYSTUCK_RPYC5", "PYSTUCK_RPYC6"])
@pytest.mark.parametrize("more", [[], ["--exclude-greenlets"]], ids=["all", "no greenlets"])
def test_the_originals_client_shows_the_stacks(
    greenlets: Debuggee, setting: str, more: list[str]
) -> None:
    done = subprocess.run(
        [python(), "-c", "import pystuck; pystuck.main()", "--no-ipython", "--port"]
        + [str(greenlets.port), *more],
        env=stock_environment("PYSTUCK_ORIGINAL", setting),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Printing all thread backtraces:\n\n<_MainThread")
    assert "done.wait()  # could block" in done.stdout
    assert ("suspended_deeply" in done.stdout) is not bool(more)


# ---- The client, from Python ---------------------------------------------------------------------

BIN = os.path.dirname(build_setting("PYSTUCK_BIN"))


def run_code(code: str, *arguments: object, **more: str) -> Done[str]:
    """Runs `code` in a process that has the client in its PATH."""
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", **more}
    return run_program([python(), "-c", code, *arguments], env=debuggee_environment(**environment))


MAIN = "import pystuck; pystuck.main()"


def test_main_runs_the_client(stuck: Debuggee) -> None:
    done = run_code(MAIN, "--no-ipython", stuck.host, stuck.port)
    direct = pystuck(stuck)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", direct.stdout)


def test_main_ends_with_the_clients_status() -> None:
    assert run_code(MAIN, "--version").returncode == 0
    done = run_code(MAIN, "--no-such-option")
    assert done.returncode == 2
    assert done.stderr.startswith("pystuck: unrecognized option")


def test_main_ends_by_sigpipe_as_the_client_does() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [python(), "-c", MAIN, "--help"],
            env=debuggee_environment(PATH=BIN),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_run_client_prints_the_stacks_and_returns_the_status(stuck: Debuggee) -> None:
    code = (
        "import pystuck, sys\n"
        "sys.stdout.write('before\\n')\n"
        "status = pystuck.run_client('127.0.0.1', int(sys.argv[1]), True, False, True)\n"
        "print('after', status)\n"
    )
    done = run_code(code, stuck.port)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"before\n{pystuck(stuck).stdout}after 0\n"


def test_run_client_prints_no_stacks_by_default(stuck: Debuggee) -> None:
    code = "import pystuck, sys; print(pystuck.run_client(port=int(sys.argv[1]), ipython=False))"
    done = run_code(code, stuck.port)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0\n")


def test_run_client_returns_status_2_if_there_is_no_server(free_port: int) -> None:
    code = "import pystuck, sys; print(pystuck.run_client(port=int(sys.argv[1])))"
    done = run_code(code, free_port)
    assert (done.returncode, done.stdout) == (0, "2\n")
    told = f"pystuck: nothing listens on 127.0.0.1:{free_port}: "
    assert done.stderr.startswith(told)


def test_ctrl_c_ends_the_client_and_then_run_client(tmp_path: Path) -> None:
    code = (
        "import pystuck, signal, sys\n"
        "try:\n"
        "    pystuck.run_client(port=int(sys.argv[1]))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', signal.getsignal(signal.SIGINT).__name__, flush=True)\n"
    )
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent.settimeout(PATIENCE)
        argv = [python(), "-c", code, str(silent.getsockname()[1])]
        program = Running(argv, debuggee_environment(PATH=BIN))
        stack.callback(program.kill)
        stack.enter_context(silent.accept()[0])
        os.killpg(program.pid, signal.SIGINT)
        assert program.read_line() == "interrupted default_int_handler"
        assert (program.wait(), program.stderr()) == (0, "")


def copied(site: Path) -> str:
    """Return the PYTHONPATH of a copy of the package, from which the build is not found."""
    source, extension = build_setting("PYSTUCK_PYTHONPATH").split(os.pathsep)
    shutil.copytree(os.path.join(source, "pystuck"), site / "pystuck")
    for file in Path(extension).glob("_pystuck*.so"):
        (site / file.name).symlink_to(file)
    return str(site)


#: Calls main() and run_client() while execv() and subprocess.run() only note how they are called.
CALLED = """
import json, os, signal, sys, threading, types
import pystuck
from pystuck import _client

class Stream:
    def flush(self):
        flushed.append(self)

def is_default(*numbers):
    return [signal.getsignal(number) == signal.SIG_DFL for number in numbers]

def execv(path, argv):
    found["main"] = [argv, is_default(signal.SIGPIPE, signal.SIGXFSZ), len(flushed)]

def run(argv, check):
    handlers.append(signal.getsignal(signal.SIGINT))
    return types.SimpleNamespace(returncode=len(flushed))

found, flushed, handlers, statuses = {}, [], [], []
os.execv, _client.subprocess.run, sys.argv = execv, run, ["x", "--help"]
out, sys.stdout, sys.stderr = sys.stdout, Stream(), Stream()
pystuck.main()
usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
statuses.append(pystuck.run_client())
ignored = signal.signal(signal.SIGINT, usual)
thread = threading.Thread(target=lambda: statuses.append(pystuck.run_client()))
thread.start()
thread.join()
found["run"] = [statuses, [handler == signal.SIG_IGN for handler in (*handlers, ignored)]]
with open(os.environ["PROGRAM"], "wb") as file:
    file.write(b"\\x7fELF")
found["program"] = []
for mode in (0o600, 0o700):
    os.chmod(file.name, mode)
    found["program"].append(_client._is_program(file.name))
sys.stdout = out
print(json.dumps(found))
"""


def test_the_client_gets_usual_signals_and_what_was_printed(tmp_path: Path) -> None:
    assert run_python(CALLED, PROGRAM=str(tmp_path / "program")) == {
        "main": [["pystuck", "--help"], [True, True], 2],
        "run": [[3, 4], [True, False, True]],
        "program": [False, True],
    }


def test_a_missing_client_is_an_error_that_names_the_path(tmp_path: Path) -> None:
    where = {"PATH": str(tmp_path / "empty"), "PYTHONPATH": copied(tmp_path / "package")}
    done = run_code(MAIN, **where)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pystuck: ")
    assert "PATH" in done.stderr
    assert "Traceback" not in done.stderr
    done = run_code("import pystuck; pystuck.run_client()", **where)
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


def test_main_finds_the_client_of_the_build() -> None:
    done = run_code(MAIN, "--version", PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_in_a_zip_file_says_that_it_has_no_client(tmp_path: Path) -> None:
    source, _ = build_setting("PYSTUCK_PYTHONPATH").split(os.pathsep)
    shutil.make_archive(str(tmp_path / "app"), "zip", source, "pystuck")
    done = run_code(MAIN, PATH="/nonexistent", PYTHONPATH=str(tmp_path / "app.zip"))
    assert "ImportError: pystuck is in a zip file" in done.stderr
    copied(tmp_path / "site")
    shutil.rmtree(tmp_path / "site" / "pystuck")
    path = f"{tmp_path / 'app.zip'}:{tmp_path / 'site'}"
    done = run_code(MAIN, PATH="/nonexistent", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pystuck: there is no native client")
    assert "app.zip" in done.stderr


def test_the_version_is_the_same_everywhere() -> None:
    code = "import pystuck, _pystuck; print(pystuck.__version__, _pystuck.__version__)"
    version = run_code(MAIN, "--version").stdout.split()[1]
    assert run_code(code).stdout.split() == [version, version]
    done = subprocess.run(
        [python(), "-m", "pystuck", "--version"],
        env=debuggee_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"pystuck {version}\n"


def test_main_does_not_run_a_script_that_calls_main(tmp_path: Path) -> None:
    script = tmp_path / "pystuck"
    script.write_text(f"#!{python()}\n{MAIN}\n")
    script.chmod(0o755)
    path = copied(tmp_path / "package")
    done = run_code(MAIN, "--version", PATH=f"{tmp_path}:{BIN}", PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pystuck ")
    assert run_code(MAIN, PATH=str(tmp_path), PYTHONPATH=path).returncode == 1


@pytest.mark.parametrize("site", ["lib/python3/site-packages", "."])
def test_the_client_beside_the_package_is_preferred_to_the_one_in_the_path(
    tmp_path: Path, site: str
) -> None:
    path = copied(tmp_path / site)
    (tmp_path / "bin").mkdir()
    shutil.copy(shutil.which("echo") or "/bin/echo", tmp_path / "bin" / "pystuck")
    done = run_code(MAIN, "printed by echo", PYTHONPATH=path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "printed by echo\n")
