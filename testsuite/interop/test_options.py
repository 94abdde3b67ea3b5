# SPDX-License-Identifier: BSD-3-Clause
"""The table of run_server's options: everything that names an option agrees with it."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import PATIENCE, debuggee_environment, python, run_python

ROOT = Path(__file__).parents[2]

#: Texts for users that name options, variables, and options of the command line.
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "doc/security.md",
    "doc/production.md",
    "doc/pystuck-keys.1",
    "doc/pystuck.1",
)

TABLE = """
import json
from pystuck import _server_options
print(json.dumps([
    {
        "name": option.name, "help": option.help, "command": option.command,
        "variable": option.variable, "native": option.native, "default": option.shown_default(),
        "expected": option.kind.expected,
    }
    for option in _server_options.OPTIONS
]))
"""


@functools.cache
def table() -> list[dict[str, Any]]:
    """The rows of the table."""
    return run_python(TABLE)  # type: ignore[return-value]


def words(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


# ---- What is made from it ------------------------------------------------------------------------

SIGNATURE = """
import inspect, json, typing
import _pystuck, pystuck
parameters = inspect.signature(pystuck.run_server).parameters
print(json.dumps([
    str(inspect.signature(pystuck.run_server)),
    [p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD],
    {p.name: repr(p.default) for p in parameters.values() if p.kind is not p.VAR_KEYWORD},
    pystuck.run_server.__doc__,
]))
"""


def test_the_signature_of_run_server_is_that_of_its_first_release() -> None:
    signature, names, defaults, _ = run_python(SIGNATURE)
    assert signature == (
        "(host: 'str' = '127.0.0.1', port: 'int' = 6666, "
        "unix_socket: 'str | bytes | os.PathLike | None' = None, patch_greenlet: 'bool' = True, "
        "service_class_getter: 'Callable[[], Any] | None' = None, *, follow_fork: 'bool' = False, "
        "**server_args: 'Any') -> '_pystuck.Server | None'"
    )
    rows = {row["name"]: row["default"] or "None" for row in table()}
    assert defaults == {name: rows[name] for name in names}


def test_the_docstring_of_run_server_explains_each_option() -> None:
    *_, text = run_python(SIGNATURE)
    assert "{options}" not in text
    for row in table():
        default = f"; default: {row['default']}" if row["default"] else ""
        assert f"{row['name']}: {row['help']} ({row['expected']}{default})." in words(text)
    assert max(map(len, text.splitlines())) <= 100


def test_python_without_docstrings_has_run_server() -> None:
    code = "import pystuck; print(pystuck.run_server.__doc__)"
    done = subprocess.run(
        [python(), "-OO", "-c", code],
        env=debuggee_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")


def test_the_help_of_the_command_line_explains_each_option_and_variable() -> None:
    done = subprocess.run(
        [python(), "-m", "pystuck", "--help"],
        env=debuggee_environment(COLUMNS="100"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    text = words(done.stdout)
    for row in table():
        if row["command"]:
            assert re.search(rf"{row['command']} ([A-Z]+ )?{re.escape(row['help'])}", text), row
        if row["variable"]:
            assert row["variable"] in text
    shown = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE))
    assert shown == {row["command"] for row in table() if row["command"]} | {"--version"}


# ---- What agrees with it -------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_variables_and_options_that_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    variables = {row["variable"] for row in table()} | {"PYSTUCK_CONFIGURE"}  # for pip
    assert set(re.findall(r"\bPYSTUCK_[A-Z_]+", text)) <= variables
    names = {row["name"] for row in table()}
    for call in re.findall(r"run_server\(([^)]*)\)", text):
        assert set(re.findall(r"\b([a-z_]+)=", call)) <= names


def test_the_page_about_security_explains_who_may_connect_and_the_limits() -> None:
    text = (ROOT / "doc/security.md").read_text()
    for row in table():
        if row["variable"] or row["name"].startswith("max_") or row["name"].endswith("_timeout"):
            if row["name"] == "listener_timeout":
                continue
            assert f"`{row['name']}" in text or f"{row['name']}=" in text, row["name"]


def test_the_limits_that_are_documented_are_those_of_the_table() -> None:
    text = (ROOT / "doc/security.md").read_text()
    shown = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+)(?: MiB| s)?\b", text, re.MULTILINE))
    rows = {row["name"]: row["default"] for row in table()}
    assert len(shown) >= 7
    for name, text in shown.items():
        number = int(text.replace(",", ""))
        number *= 1 << 20 if name == "max_frame" else 1
        assert float(rows[name]) == number, name


# ---- The native server ---------------------------------------------------------------------------

NATIVE = """
import json
import _pystuck, pystuck
from pystuck import _server_options, _run
settings = _run.native_settings(_server_options.check({"port": 0}))
def attempt(settings):
    try:
        _pystuck.run_server(settings).close()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
result = {
    name: [
        attempt({key: value for key, value in settings.items() if key != name}),
        attempt({**settings, name: object()}),
    ]
    for name in settings
}
print(json.dumps([attempt(settings), attempt({**settings, "x": 1}), attempt(5), result]))
"""


def test_the_native_server_reads_each_setting_and_has_no_defaults() -> None:
    whole, more, no_dict, each = run_python(NATIVE)
    assert whole is None
    assert re.fullmatch(
        r"TypeError: run_server\(\) got (\d+) settings, but only \d+ are known", more
    )
    assert no_dict == "TypeError: run_server() expects a dict of settings"
    assert {row["name"] for row in table() if row["native"]} <= each.keys()
    flags = ("reuse_addr", "ipv6", "insecure", "only_tls_1_2", "connect", "log")
    for name, (missing, wrong) in each.items():
        assert missing == f"TypeError: run_server() needs the setting '{name}'"
        if name not in flags:
            assert wrong.startswith("TypeError"), (name, wrong)


# ---- Values that are wrong -----------------------------------------------------------------------

WRONG = """
import json, sys
import pystuck
class Wrong:
    def __repr__(self): return "<wrong>"
    def __bool__(self): return True
results = {}
for name in json.loads(sys.argv[1]):
    needed = {"unix_socket": "@x"} if name.startswith("unix_") else {}
    try:
        pystuck.run_server(**{"port": 0, **needed, name: Wrong()})
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"
print(json.dumps(results))
"""


def test_an_error_names_the_option_the_value_and_what_is_expected() -> None:
    rows = [row for row in table() if row["expected"] != "anything"]
    errors = run_python(WRONG, json.dumps([row["name"] for row in rows]))
    assert len(errors) == len(rows)
    for row in rows:
        error = errors[row["name"]]
        assert error.startswith("TypeError: ")
        assert row["name"] in error
        assert "<wrong>" in error
        assert f"expected {row['expected']}" in error


def test_an_error_shows_only_the_beginning_of_a_long_value() -> None:
    code = (
        "import json, pystuck\n"
        "try: pystuck.run_server(max_frame='x' * 10_000_000)\n"
        "except TypeError as error: print(json.dumps(str(error)))\n"
    )
    error = run_python(code)
    assert len(str(error)) < 200
    assert str(error).endswith("...: expected an int from 1024 to 4294967295")
