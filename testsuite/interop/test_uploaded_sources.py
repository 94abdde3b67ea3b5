# SPDX-License-Identifier: BSD-3-Clause
"""The Python that the client sends to the debuggee: three files of its own, and the collector."""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from harness import build_setting
from test_run_cell import function_with, sent_module

CLIENT = Path(__file__).parents[2] / "client"


FILES = ["eval/run_cell.py", "prompt/completion.py", "prompt/inspection.py"]

each_file = pytest.mark.parametrize("path", FILES)


@each_file
def test_the_syntax_is_that_of_python_3_6(path: str) -> None:
    ast.parse((CLIENT / path).read_text(), feature_version=(3, 6))


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


def test_no_name_is_looked_up_in_the_namespace_of_the_user() -> None:
    source = function_with("value = arguments")
    ast.parse(source, feature_version=(3, 6))
    constants = compile(source, "x", "exec").co_consts
    function = next(const for const in constants if isinstance(const, CodeType))
    assert names_looked_up(function) == set()
    namespace = dict.fromkeys(["__name__", "value", "arguments", *vars(builtins)], 1)
    namespace["__builtins__"] = builtins
    before = dict(namespace)
    assert sent_module("value = arguments + (len(str(int)),)", namespace, 5)[1:] == (5, 13)
    assert namespace == before


@each_file
def test_a_file_defines_the_names_that_it_uses(path: str) -> None:
    code = compile((CLIENT / path).read_text(), path, "exec")
    defined = {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
    assert "value" in defined
    assert names_looked_up(code) - defined - set(vars(builtins)) <= {"arguments", "__spec__"}


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
