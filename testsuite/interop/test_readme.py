# SPDX-License-Identifier: BSD-3-Clause
"""The example in README.md: the program that it quotes, and the output of the client."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Running, debuggee_environment, pystuck, python, wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = "examples/test.py"


def blocks() -> list[str]:
    """Returns the indented blocks of the section, without the indentation."""
    text = (ROOT / "README.md").read_text().partition("## Example\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?:^    [^\n]*\n|^\n)+", text, re.MULTILINE)
    return [
        re.sub("^    ", "", each, flags=re.MULTILINE).strip("\n") for each in found if each.strip()
    ]


def matches(shown: list[str], printed: list[str]) -> bool:
    """Returns True if these are the lines in README.md; "..." there stands for any lines."""
    if not shown or not printed:
        return not shown and not printed
    if shown[0].strip() == "...":
        return matches(shown[1:], printed) or matches(shown, printed[1:])
    return shown[0] == printed[0] and matches(shown[1:], printed[1:])


def generalized(text: str) -> list[str]:
    """Returns the lines without the parts that differ: the folder, thread IDs, the files of Python,
    and the names of threads before Python 3.10."""
    text = text.replace(f'"{ROOT}/', '"')
    text = re.sub(r"started( daemon)? \d+", r"started\1 N", text).replace(" (work)", "")
    return re.sub(r'".*/threading\.py", line \d+', "threading.py", text).splitlines()


@pytest.fixture
def program() -> Iterator[tuple[Running, int]]:
    """Starts the example. Yields it and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Running([python(), PROGRAM, str(port)], debuggee_environment(), cwd=ROOT)
    try:
        yield running, port
    finally:
        running.kill()


def test_the_readme_quotes_the_example() -> None:
    quoted = next(each for each in blocks() if "run_server()" in each)
    text = (ROOT / PROGRAM).read_text()
    beginning, _, rest = quoted.partition("...\n")
    for line in beginning.splitlines():
        assert line.partition("(")[0] in text
    assert rest in text.replace("\n\n\n", "\n\n")


def test_the_readme_shows_what_the_client_prints(program: tuple[Running, int]) -> None:
    running, port = program
    shown = next(each for each in blocks() if each.startswith("% pystuck\n"))
    wanted = generalized(shown.partition("\n")[2])

    def printed() -> str:
        assert running.is_alive(), running.stderr()
        return pystuck("--no-repl", "127.0.0.1", port).stdout.strip("\n")

    wait_until(
        lambda: matches(wanted, generalized(printed())),
        "the stacks that README.md shows",
        details=printed,
    )
