# SPDX-License-Identifier: BSD-3-Clause
"""The Python files of the client that run in the debuggee: bootstrap, completion and inspection."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

CLIENT = Path(__file__).parents[2] / "client"


class Uploaded(NamedTuple):
    """A file, the one name that it defines, and the global names that its function may look up."""

    path: str
    name: str
    looked_up: set[str]

    def source(self) -> str:
        return (CLIENT / self.path).read_text()


FILES = [
    # globals() is called once, at the beginning.
    Uploaded("eval/run_cell.py", "_pystuck_cells", {"globals"}),
    Uploaded("prompt/completion.py", "_pystuck_completion", set()),
    Uploaded("prompt/inspection.py", "_pystuck_inspection", set()),
]

each_file = pytest.mark.parametrize("uploaded", FILES, ids=lambda uploaded: uploaded.path)


@each_file
def test_the_syntax_is_that_of_python_3_6(uploaded: Uploaded) -> None:
    ast.parse(uploaded.source(), feature_version=(3, 6))


def codes_within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from codes_within(const)


@each_file
def test_no_name_is_looked_up_in_the_namespace_of_the_user(uploaded: Uploaded) -> None:
    constants = compile(uploaded.source(), "x", "exec").co_consts
    function = next(const for const in constants if isinstance(const, CodeType))
    looked_up = {
        instruction.argval
        for code in codes_within(function)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    looked_up.discard("__name__")  # the body of a class begins with its module's name
    assert looked_up == uploaded.looked_up


@each_file
def test_a_file_defines_one_name(uploaded: Uploaded) -> None:
    namespace: dict[str, Any] = {}
    exec(uploaded.source(), namespace)
    assert set(namespace) - {"__builtins__", "__doc__"} == {uploaded.name}
