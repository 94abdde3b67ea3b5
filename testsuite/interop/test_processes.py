# SPDX-License-Identifier: BSD-3-Clause
"""Programs and worker processes that the debuggee starts inherit no part of the server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rpyc
from harness import (
    Debuggee,
    debuggee_environment,
    python,
    starts_a_shell,
)
from rawpeer import is_refused

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]


@starts_a_shell
def test_a_request_can_start_processes_in_all_the_usual_ways(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    assert client.modules.os.system("exit 3") == 3 << 8
    assert client.modules.subprocess.check_output(("echo", "x")) == b"x\n"
    with client.modules.os.popen("echo y") as pipe:
        assert pipe.read() == "y\n"


#: Prints the descriptors with which a process was started.
LIST_DESCRIPTORS = """
import contextlib, json, os
names = []
for number in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError):
        names.append(os.readlink("/proc/self/fd/" + number))
print(json.dumps(names))
"""


def test_a_process_that_the_program_starts_has_no_descriptor_of_the_server(
    start_debuggee: Start, connect: Connect, socket_dir: Path
) -> None:
    code = "import subprocess; subprocess.call([sys.executable, '-c', program], close_fds=False)"
    debuggee = start_debuggee(
        "plain.py",
        arguments=(f"program = {LIST_DESCRIPTORS!r}", code),
        unix_socket=str(socket_dir / "s"),
    )
    connect(debuggee).ping()
    debuggee.write("start it\n")
    names = json.loads(debuggee.read_line())
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []


def test_a_process_that_a_request_starts_has_no_descriptor_of_the_server(
    stuck: Debuggee, connect: Connect
) -> None:
    client = connect(stuck)
    client.namespace["program"] = LIST_DESCRIPTORS
    client.execute("import subprocess, sys")
    output = client.eval(
        "subprocess.check_output([sys.executable, '-c', program], close_fds=False)"
    )
    names = json.loads(output)
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []


def test_all_descriptors_of_the_server_are_closed_on_exec(
    stuck: Debuggee, connect: Connect
) -> None:
    connect(stuck).ping()
    ours = [number for number in stuck.descriptors() if number > 2]
    assert ours
    for number in ours:
        info = Path(f"/proc/{stuck.pid}/fdinfo/{number}").read_text()
        assert int(info.partition("flags:")[2].split()[0], 8) & os.O_CLOEXEC


EXEC = "import os; os.execv(sys.executable, [sys.executable, '-c', program])"


def test_a_program_that_becomes_another_one_takes_no_descriptor_or_thread_along(
    start_debuggee: Start, connect: Connect
) -> None:
    program = LIST_DESCRIPTORS + "import sys; sys.stdout.flush(); sys.stdin.readline()"
    debuggee = start_debuggee("plain.py", arguments=(f"program = {program!r}", EXEC))
    clients = [connect(debuggee) for _ in range(5)]
    blocked = [rpyc.async_(client.eval("__import__('time').sleep"))(1000) for client in clients]
    debuggee.write("become it\n")
    names = json.loads(debuggee.read_line())
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []
    assert len(debuggee.threads()) == 1
    for one in blocked:
        with pytest.raises(EOFError):
            one.value  # noqa: B018
    assert is_refused(debuggee)
    debuggee.ended = True
    debuggee.write("end\n")
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


def test_a_request_may_make_another_program_of_the_process(
    start_debuggee: Start, connect: Connect
) -> None:
    debuggee = start_debuggee("plain.py")
    client, bystander = connect(debuggee), connect(debuggee)
    client.execute(f"import os, sys; program = {LIST_DESCRIPTORS!r}")
    with pytest.raises(EOFError):
        client.execute(EXEC)
    with pytest.raises(EOFError):
        bystander.ping()
    debuggee.ended = True
    names = json.loads(debuggee.read_line())
    assert [name for name in names if name.startswith(("socket:", "anon_inode:"))] == []
    assert (debuggee.wait(), debuggee.stderr()) == (0, "")


# ---- multiprocessing and its like ----------------------------------------------------------------

#: Runs argv[1], in which SOCKETS is an expression for the sockets of other processes. None of these
#: may be a socket of this process.
MULTI = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pystuck
SOCKETS = "[n for n in map(os.path.realpath, glob.glob('/proc/self/fd/*')) if 'socket:' in n]"
SOCKETS = f"(lambda os, glob: {SOCKETS})(__import__('os'), __import__('glob'))"
server = pystuck.run_server(port=0)
print(json.dumps({"host": server.host, "port": server.port}), flush=True)
sys.stdin.readline()
ours = eval(SOCKETS)
exec(sys.argv[1])
print(json.dumps([len(found), [name for names in found for name in names if name in ours]]))
sys.stdout.flush()
sys.stdin.readline()
"""

POOL = """
import multiprocessing
with multiprocessing.get_context({method!r}).Pool(3) as pool:
    found = pool.map(eval, [SOCKETS] * 12)
"""

EXECUTOR = """
import concurrent.futures, multiprocessing
context = multiprocessing.get_context({method!r})
with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
    found = list(pool.map(eval, [SOCKETS] * 12))
"""

PREEXEC = """
import os, subprocess
def before():
    os.setsid()
    os.write(1, json.dumps(eval(SOCKETS)).encode() + b"\\n")
run = ["true"]
done = [subprocess.run(run, preexec_fn=before, stdout=-1, close_fds=False) for _ in range(12)]
found = [json.loads(one.stdout) for one in done]
"""


METHODS = ("fork", "forkserver", "spawn")
WORKERS = {
    **{f"pool-{method}": POOL.format(method=method) for method in METHODS},
    **{f"executor-{method}": EXECUTOR.format(method=method) for method in METHODS},
    "subprocess-preexec": PREEXEC,
}


@pytest.mark.parametrize("code", WORKERS.values(), ids=WORKERS.keys())
@pytest.mark.rotates(3)
def test_worker_processes_work_and_have_nothing_of_the_server(connect: Connect, code: str) -> None:
    debuggee = Debuggee([python(), "-c", MULTI, code], debuggee_environment())
    try:
        clients = [connect(debuggee) for _ in range(5)]
        busy = [rpyc.async_(client.eval("__import__('time').sleep"))(1000) for client in clients]
        bystander = connect(debuggee)
        debuggee.write("go\n")
        assert json.loads(debuggee.read_line()) == [12, []]
        assert bystander.eval("1 + 1") == 2
        assert not any(one.ready for one in busy)
        debuggee.write("end\n")
        assert (debuggee.wait(), debuggee.stderr()) == (0, "")
    finally:
        debuggee.kill()
