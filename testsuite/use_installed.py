# SPDX-License-Identifier: BSD-3-Clause
"""Uses an installed pystuck, as an ordinary user without network: called by check-install.

Arguments: the interpreter that has the module, the directory of the programs, and the directory of
the examples. Uses nothing of the source tree but the examples.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 60.0

python, bin_directory, examples = sys.argv[1:]
client = os.path.join(bin_directory, "pystuck")

#: Serves with TLS, with the files of the directory argv[1].
TLS_SERVER = """
import os, pystuck, sys, time
os.chdir(sys.argv[1])
files = {"certfile": "server.pem", "keyfile": "server.key", "ca_certs": "ca.pem"}
print(pystuck.run_server(port=0, **files).port, flush=True)
time.sleep(1000)
"""


def check(found: bool, what: str, text: str) -> None:
    if not found:
        sys.exit(f"use_installed: {what}:\n{text}")


def run(*command: str, status: int = 0) -> str:
    """Return what a command prints; it must end with this status."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
        text=True,
    )
    check(done.returncode == status, f"{command} has ended with {done.returncode}", done.stdout)
    return done.stdout


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f"waited in vain for {what}", "")
        time.sleep(0.1)


@contextmanager
def program(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [python, *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def is_listed(pid: int) -> bool:
    output = subprocess.run(
        [client, "--list"], stdout=subprocess.PIPE, timeout=PATIENCE, check=False, text=True
    ).stdout
    return any(str(pid) in line.split() for line in output.splitlines())


def use_the_prompt(*arguments: str) -> None:
    """Type at the prompt, on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(client, ["pystuck", *arguments])
    text = ""

    def has(part: str) -> bool:
        nonlocal text
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # the client has ended
                check(part in text, f"the prompt does not show {part}", text)
        return part in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)

    until(lambda: has("In [0]: "), "the prompt")
    os.write(terminal, b"import sys; sys.argv[0][-7:]\r")
    until(lambda: has("'test.py'"), "an answer")
    os.write(terminal, b"\x04")
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    check(status == 0, f"the prompt ends with status {status}", text)


def main_job() -> None:
    """A program is stuck; pystuck says why. All with the default address."""
    with program(os.path.join(examples, "test.py")) as stuck:

        def is_shown() -> bool:
            return (
                "with lock:  # could block"
                in subprocess.run(
                    [client],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    check=False,
                    text=True,
                ).stdout
            )

        until(is_shown, "the stacks")
        for options in ([], ["--pid", str(stuck.pid)]):
            text = run(client, "--no-repl", *options)
            check("waits for RLock lock, held by Thread-1" in text, f"{options}", text)
        check(is_listed(stuck.pid), "--list", run(client, "--list"))
        report = json.loads(run(client, "--json"))
        check(report["pid"] == stuck.pid, "--json", str(report))
        text = run(python, "-c", "import pystuck; pystuck.main()", "--no-repl")
        check("waits for RLock lock" in text, "pystuck.main()", text)
        use_the_prompt()
    with program(os.path.join(examples, "stuck", "own_lock.py")) as stuck:
        # Without a server: the stacks are read from outside.
        until(lambda: "own_lock.py" in from_outside(stuck.pid), "the stacks from outside")


def from_outside(pid: int) -> str:
    command = [client, "--pid", str(pid), "--no-repl"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    return done.stdout


def with_variable() -> None:
    """PYSTUCK=1 starts a server in a program that does not import pystuck."""
    with program("-c", "import sys; sys.stdin.read()", PYSTUCK="1") as process:
        until(lambda: is_listed(process.pid), "a server by PYSTUCK=1")
        text = run(client, "--pid", str(process.pid), "-c", "6 * 7")
        check(text == "42\n", "PYSTUCK=1", text)
        process.communicate(timeout=PATIENCE)  # it ends, and removes the socket


def with_tls(work: str) -> None:
    keys = os.path.join(work, "keys")
    run(os.path.join(bin_directory, "pystuck-keys"), keys, "localhost")
    with program("-c", TLS_SERVER, keys) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        files = [("ca", "ca.pem"), ("cert", "client.pem"), ("key", "client.key")]
        options = [f"--ssl-{name}={keys}/{file}" for name, file in files]
        text = run(client, "--ssl", *options, "-c", "6 * 7", f"localhost:{port}")
        check(text == "42\n", "TLS", text)
        run(client, "--ssl", f"--ssl-ca={keys}/ca.pem", f"localhost:{port}", status=1)


def versions() -> None:
    version = run(client, "--version")
    check(version.startswith("pystuck "), "--version", version)
    for command in (
        [python, "-m", "pystuck", "--version"],
        [python, "-c", "import pystuck; print('pystuck', pystuck.__version__)"],
        [
            python,
            "-c",
            "from importlib.metadata import version as v; print('pystuck', v('pystuck'))",
        ],
    ):
        text = run(*command)
        check(text == version, f"{command} instead of {version}", text)


def main() -> None:
    check(os.getuid() != 0, "must not be root", "")
    work = tempfile.mkdtemp()
    # What a user has afterwards: the history of the prompt.
    os.environ["HOME"] = home = os.path.join(work, "home")
    os.mkdir(home)
    os.environ["PATH"] = f"{bin_directory}:{os.environ['PATH']}"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        versions()
        main_job()
        with_variable()
        with_tls(work)
        left = os.listdir(f"/tmp/pystuck-{os.getuid()}")
        check(not left, "sockets are left", str(left))
        os.rmdir(f"/tmp/pystuck-{os.getuid()}")
        left = [os.path.join(folder, name) for folder, _, names in os.walk(home) for name in names]
        check(len(left) <= 1, "more than the history is left in HOME", str(left))
    finally:
        shutil.rmtree(work)
    print("use_installed: all of it works")


main()
