# SPDX-License-Identifier: BSD-3-Clause
"""The Python that the client sends to the debuggee: three files of its own, and the collector."""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest
from harness import build_setting

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


def names_looked_up(code: CodeType) -> set[str]:
    """The names of global variables and builtins that a code object uses."""
    found = {
        instruction.argval
        for each in codes_within(code)
        for instruction in dis.get_instructions(each)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    return found - {"__name__", "__qualname__"}  # the body of a class begins with them


@each_file
def test_no_name_is_looked_up_in_the_namespace_of_the_user(uploaded: Uploaded) -> None:
    constants = compile(uploaded.source(), "x", "exec").co_consts
    function = next(const for const in constants if isinstance(const, CodeType))
    assert names_looked_up(function) == uploaded.looked_up


@each_file
def test_a_file_defines_one_name(uploaded: Uploaded) -> None:
    namespace: dict[str, Any] = {}
    exec(uploaded.source(), namespace)
    assert set(namespace) - {"__builtins__", "__doc__"} == {uploaded.name}


def names_defined(node: ast.stmt) -> list[str]:
    """The global names that a statement of a module defines, without those that it imports."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    return [
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    ]


def test_the_parts_of_the_collector_are_one_module_when_joined() -> None:
    source = Path(build_setting("PYSTUCK_COLLECTOR")).read_text()
    tree = ast.parse(source, feature_version=(3, 6))
    defined = [name for node in tree.body for name in names_defined(node)]
    assert len(defined) == len(set(defined))  # in two parts, a name would have two meanings
    imports = [each for each in ast.walk(tree) if isinstance(each, (ast.Import, ast.ImportFrom))]
    assert {each for each in imports if each not in tree.body} == set()  # none at run time
    namespace: dict[str, Any] = {}
    code = compile(tree, "collector", "exec")
    exec(code, namespace)
    assert names_looked_up(code) - set(namespace) - set(vars(builtins)) == set()
