# SPDX-License-Identifier: BSD-3-Clause
"""Starts the programs that a benchmark needs, and ends them.

make bench sets the variables that tell where they are: see testsuite/run-interop.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


class NotInstalledError(Exception):
    """A reference is not installed. The text says what to install."""


def setting(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise SystemExit(f"bench: {name} is not set: use make bench") from None


def need(program: str, package: str) -> str:
    """Returns the path of a program on PATH."""
    if found := shutil.which(program):
        return found
    raise NotInstalledError(f"install {package}")


def environment(*settings: str) -> dict[str, str]:
    """Returns an environment with these directories of Python packages, and no others."""
    result = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYSTUCK"))
    }
    result["PYTHONPATH"] = ":".join(setting(name) for name in settings)
    result["PYTHONPYCACHEPREFIX"] = os.environ.get("PYTHONPYCACHEPREFIX", "")
    return result


OURS, STOCK = ("PYSTUCK_PYTHONPATH",), ("PYSTUCK_RPYC5",)
ORIGINAL = ("PYSTUCK_ORIGINAL", "PYSTUCK_RPYC5")
PACKAGES = {"ours": OURS, "none": OURS, "tls": OURS, "stock": STOCK, "original": ORIGINAL}


def built(name: str) -> str:
    """Returns the path of a program of bench/ in the build directory."""
    return f"{setting('PYSTUCK_BENCH')}/{name}"


def msgpack(directory: str) -> str:
    """Compiles msgpack.c into a directory. Returns the path of the program."""
    program = f"{directory}/msgpack"
    command = [*setting("CC").split(), "-O2", "-o", program, str(HERE / "msgpack.c")]
    for library in ("msgpackc", "msgpack-c"):
        done = subprocess.run([*command, f"-l{library}"], capture_output=True, check=False)
        if done.returncode == 0:
            return program
    raise NotInstalledError("install libmsgpack-dev")


class Program:
    """A program that prints a line when it is ready, and one for each line of its input."""

    def __init__(
        self, argv: Sequence[object], env: dict[str, str] | None = None, **options: Any
    ) -> None:
        self.process = subprocess.Popen(
            [str(each) for each in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            **options,
        )
        self.pid = self.process.pid
        self.first = self._read()

    def _read(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} has ended with {self.process.wait()}")
        return line.strip()

    def start(self, line: object) -> None:
        """Writes a line. Call finish() for the answer."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def finish(self) -> str:
        return self._read()

    def ask(self, line: object) -> str:
        """Writes a line and returns the answer."""
        self.start(line)
        return self.finish()

    def seconds(self, count: int) -> float:
        """Lets a client send so many requests. Returns the seconds that one took."""
        return int(self.ask(count)) / 1e9 / count

    def close(self) -> None:
        """Closes the input. The program ends by itself, so that callgrind writes its file."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server(Program):
    """The debuggee: debuggee.py. kind: see there."""

    def __init__(self, kind: str, *more: str, under: Sequence[str] = ()) -> None:
        super().__init__(
            [*under, setting("PYSTUCK_PYTHON"), HERE / "debuggee.py", kind, *more],
            environment(*PACKAGES[kind]),
        )
        self.target = self.first


class RawServer(Program):
    """The server of raw.c."""

    def __init__(self, *more: str) -> None:
        super().__init__([built("raw"), "serve", *more])
        self.target = self.first

    def close(self) -> None:
        self.process.kill()
        super().close()


def c_client(target: str, kind: str, under: Sequence[str] = (), *keys: str) -> Program:
    """Returns a client with librpyc: requests.c. keys: the directory of the files for TLS."""
    return Program([*under, built("requests"), target, kind, *keys])


def raw_client(target: str, request: int, reply: int) -> Program:
    return Program([built("raw"), "send", target, request, reply])


def stock_client(target: str, kind: str) -> Program:
    argv = [setting("PYSTUCK_PYTHON"), HERE / "stock_client.py", target, kind]
    return Program(argv, environment(*STOCK))
