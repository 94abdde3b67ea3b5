# SPDX-License-Identifier: BSD-3-Clause
"""README.md: the program that it quotes, the output of the client, and the options that exist."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import (
    Running,
    c_program,
    debuggee_environment,
    pystuck,
    python,
    run_python,
    wait_until,
)

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
    the time that a sleep still lasts, which is not known before Python 3.11, and the names of
    threads before Python 3.10."""
    text = text.replace(f'"{ROOT}/', '"')
    text = re.sub(r"started( daemon)? \d+", r"started\1 N", text).replace(" (work)", "")
    text = re.sub(r"# (sleeps for .*|in the system call (select|pselect6))", "# sleeps", text)
    return re.sub(r'".*/threading\.py", line \d+', "threading.py", text).splitlines()


@pytest.fixture
def program(free_port: int) -> Iterator[tuple[Running, int]]:
    """Starts the example. Yields it and its port."""
    running = Running([python(), PROGRAM, str(free_port)], debuggee_environment(), cwd=ROOT)
    try:
        yield running, free_port
    finally:
        running.kill()


def helps() -> dict[str, str]:
    """Returns the help text of each program, by its command."""
    module = subprocess.run(
        [python(), "-m", "pystuck", "--help"],
        env=debuggee_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    texts = {"pystuck": pystuck("--help").stdout, "python": module.stdout}
    if os.environ.get("PYSTUCK_KEYS"):
        keys = subprocess.run(c_program("PYSTUCK_KEYS", "--help"), capture_output=True, text=True)
        texts["pystuck-keys"] = keys.stdout
    return texts


def test_the_readme_names_only_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text().partition("## Building by hand\n")[0]
    known = helps()
    everything = {each for help in known.values() for each in re.findall(r"--[a-z-]+", help)}
    # The arguments of each command line, up to the end of the line or of the quoted code.
    for command, rest in re.findall(r"[`%] ?(pystuck-keys|pystuck|python)\b([^`\n]*)", text):
        for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
            assert option in known.get(command, option), f"{command} {option}"
    found = set(re.findall(r"(?<=[\s`(])--[a-z][a-z-]*", text))
    assert len(found) > 10
    if "pystuck-keys" in known:
        assert found <= everything


def test_the_readme_names_only_arguments_of_run_server_that_exist() -> None:
    text = (ROOT / "README.md").read_text().partition("## Who may connect\n")[2]
    names = set(re.findall(r"\b([a-z_]+)=(?=[\[\".T]|path\b)", text))
    assert {"allow_users", "unix_socket", "insecure", "authenticator"} <= names
    text = run_python("import json, pystuck; print(json.dumps(pystuck.run_server.__doc__))")
    assert names <= set(re.findall("[a-z_]+", text))


def test_the_commands_of_the_readme_show_the_lock(program: tuple[Running, int]) -> None:
    port = program[1]
    text = (ROOT / "README.md").read_text()
    (code,) = re.findall(r'% pystuck -c "(.*)"', text)
    lock = re.compile(r"<locked _thread\.RLock object owner=\d+ count=1 at 0x[0-9a-f]+>\n")

    def shown() -> bool:
        return all(
            lock.fullmatch(done.stdout)
            for done in (
                pystuck("-c", code, port),
                pystuck(port, stdin=code + "\n"),
                pystuck("--no-exec", "-c", code, f"127.0.0.1:{port}"),
            )
        )

    wait_until(shown, "the lock to be shown")


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
