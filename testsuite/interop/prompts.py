# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) on a terminal."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pexpect
import pytest
from harness import PATIENCE, c_program, clean_environment

#: Control sequences, which a terminal does not show: colours, movements of the cursor, modes.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Prompt:
    """The client on a terminal, with a user who types."""

    def __init__(self, where: list[object], home: Path, columns: int = 80) -> None:
        argv = c_program("PYSTUCK_BIN", "--no-stacks", *where)
        env = clean_environment(
            HOME=str(home), XDG_STATE_HOME=str(home / "state"), TERM="xterm", LC_ALL="C.UTF-8"
        )
        self.child = pexpect.spawn(
            argv[0],
            argv[1:],
            env=env,
            timeout=PATIENCE,
            encoding="utf-8",
            dimensions=(40, columns),
        )
        self.number = -1
        self.next()

    def expect(self, pattern: str) -> str:
        """Waits for text that matches. Returns the text before it, without control sequences."""
        try:
            self.child.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            pytest.fail(f"{pattern!r} does not come: {error}", pytrace=False)
        return CONTROL.sub("", self.child.before)

    def next(self) -> str:
        """Waits for the next prompt. Returns the text before it."""
        self.number += 1
        return self.expect(rf"In \[{self.number}\]: ")

    def type(self, text: str) -> None:
        """Types."""
        self.child.send(text)

    def cell(self, *lines: str) -> str:
        """Types a cell, line by line. Returns its output."""
        for line in lines:
            self.type(line + "\r")
            self.expect(re.escape("\n"))
        return self.next()

    def leave(self) -> int:
        """Ends the client and returns its exit status."""
        self.type("\x04")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


#: The number of the system call ppoll.
PPOLL = {"x86_64": "271", "aarch64": "73"}


def reads_input(prompt: Prompt) -> bool:
    """Returns True if the client waits only for a line of input, without a time limit."""
    call = Path(f"/proc/{prompt.child.pid}/syscall").read_text().split()
    return call[:1] == [PPOLL[platform.machine()]] and call[2:4] == ["0x1", "0x0"]
