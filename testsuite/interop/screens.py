# SPDX-License-Identifier: BSD-3-Clause
"""pystuck(1) on an emulated terminal: the text on its screen and the position of its cursor."""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pexpect
import pyte
import pytest
from harness import LOOK, PATIENCE, c_program, clean_environment

#: pyte's number for the mode of bracketed paste.
BRACKETED_PASTE = 2004 << 5


class WrappingScreen(pyte.Screen):
    """A screen that wraps long rows anew when it is resized, as many terminals do.

    Supports only characters with one column.
    """

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        texts, place = self._texts()
        super().resize(lines, columns)
        rows: list[str] = []
        for number, text in enumerate(texts):
            if number == place[0]:
                place = len(rows) + place[1] // self.columns, place[1] % self.columns
            pieces = range(0, max(len(text), 1), self.columns)
            rows += [text[start : start + self.columns] for start in pieces]
        gone = max(0, len(rows) - self.lines)
        self.buffer.clear()
        for y, row in enumerate(rows[gone:]):
            for x, character in enumerate(row):
                self.buffer[y][x] = self.default_char._replace(data=character)
        self.cursor.y, self.cursor.x = place[0] - gone, place[1]

    def _texts(self) -> tuple[list[str], tuple[int, int]]:
        """The lines before they were wrapped, and the cursor in them (line, column)."""
        texts: list[str] = []
        place, goes_on = (0, 0), False
        for y, row in enumerate(self.display[: self.cursor.y + 1]):
            if not goes_on:
                texts.append("")
            if y == self.cursor.y:
                place = len(texts) - 1, len(texts[-1]) + self.cursor.x
            goes_on = not row.endswith(" ")
            texts[-1] += row if goes_on else row.rstrip()
        return texts, place


class OnScreen:
    """A program on a terminal, with a user who types.

    tells: the terminal answers when it is asked for the position of the cursor.
    """

    def __init__(
        self,
        argv: list[str],
        home: Path,
        columns: int = 60,
        term: str = "xterm",
        screen: type[pyte.Screen] = pyte.Screen,
        tells: bool = True,
    ) -> None:
        env = clean_environment(
            HOME=str(home), XDG_STATE_HOME=str(home / "state"), TERM=term, LC_ALL="C.UTF-8"
        )
        self.child = pexpect.spawn(
            argv[0], argv[1:], env=env, encoding="utf-8", dimensions=(30, columns)
        )
        self.child.delaybeforesend = None
        self.screen = screen(columns, 30)
        if tells:
            self.screen.write_process_input = self.child.send  # type: ignore[method-assign]
        self._stream = pyte.Stream(self.screen)

    def type(self, text: str) -> None:
        """Types."""
        self.child.send(text)

    def resize(self, columns: int) -> None:
        """Sets the width of the window."""
        self.look()
        self.screen.resize(columns=columns)
        self.child.setwinsize(self.screen.lines, columns)

    def look(self, timeout: float = 0.0) -> bool:
        """Processes the output of the program. Returns whether there was any."""
        try:
            self._stream.feed(self.child.read_nonblocking(65536, timeout))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        return True

    def rows(self) -> list[str]:
        """The rows of the screen, without blanks at their ends."""
        return "\n".join(row.rstrip() for row in self.screen.display).rstrip("\n").split("\n")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until the condition is true."""
        patience, now = PATIENCE, time.monotonic()
        while not condition():
            if patience < 0:
                cursor = self.screen.cursor.y, self.screen.cursor.x
                shown = "\n".join(self.rows())
                pytest.fail(f"{what} in vain; cursor {cursor}, and on the screen:\n{shown}")
            if not self.look(0.02) and not self.child.isalive():
                time.sleep(0.01)
            before, now = now, time.monotonic()
            patience -= min(now - before, LOOK)

    def wait_for(self, rows: Iterable[str], cursor: tuple[int, int] | None = None) -> None:
        """Waits for these last rows, with the cursor at this row of them and column."""
        rows = list(rows)

        def are_there() -> bool:
            shown = self.rows()
            first = len(shown) - len(rows)
            at = self.screen.cursor.y - first, self.screen.cursor.x
            return shown[-len(rows) :] == rows and cursor in (None, at)

        self.wait(are_there, f"waited for {rows} and {cursor}")

    def modes(self) -> tuple[bool, bool]:
        """Returns (canonical mode, echo) of the terminal."""
        flags = termios.tcgetattr(self.child.child_fd)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO)

    def brackets_pastes(self) -> bool:
        """Returns True if bracketed paste is on."""
        return BRACKETED_PASTE in self.screen.mode

    def close(self) -> None:
        """Ends the program."""
        self.child.close(force=True)


def client_command(debuggee_host: str | None, port: int | None) -> list[str]:
    """The command line of the client."""
    return c_program("PYSTUCK_BIN", "--no-stacks", debuggee_host, port)


def write_all(fd: int, text: str) -> None:
    """Writes text that may be too long for one write."""
    data = text.encode()
    while data:
        data = data[os.write(fd, data) :]
