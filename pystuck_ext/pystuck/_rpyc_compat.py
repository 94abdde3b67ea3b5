"""Substitutes for modules of rpyc that functions of stock clients import in this process.

The substitutes are for programs that have no rpyc. `rpyc.classic.deliver` uses pickle of
rpyc.lib.compat, and `teleport` uses import_function of rpyc.utils.teleportation. The substitutes
are not added to sys.modules, because the program could take them for the real rpyc.
"""

from __future__ import annotations

import pickle
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

#: Marks a code object among the constants of another code object.
_CODE_MARK = "MAg1c J0hNNzo0hn ZqhuBP17LQk8"

#: The fields of a code object that clients send. _FIELDS_3_8: clients with Python 3.8 to 3.10.
#: _FIELDS_3_11: clients with Python 3.11 or later.
_FIELDS_3_8 = (
    "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames "
    "filename name firstlineno lines freevars cellvars"
).split()
_FIELDS_3_11 = (
    "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames "
    "filename name qualname firstlineno lines exceptiontable freevars cellvars"
).split()

#: The arguments of CodeType in this Python.
_FIELDS_HERE = _FIELDS_3_11 if sys.version_info >= (3, 11) else _FIELDS_3_8


def _import_code(fields: tuple) -> CodeType:
    """Return the code object for the fields that a client has sent.

    As with stock rpyc, the client must run the same version of Python: bytecode of another version
    cannot be run. Raises ValueError if the number of fields is unknown, for example for a client
    with Python 3.7.
    """
    if len(fields) == len(_FIELDS_3_11):
        sent = dict(zip(_FIELDS_3_11, fields))
    elif len(fields) == len(_FIELDS_3_8):
        sent = dict(zip(_FIELDS_3_8, fields))
    else:
        raise ValueError(
            f"a code object of {len(fields)} fields: its version of Python is not supported"
        )
    sent.setdefault("qualname", sent["name"])
    sent.setdefault("exceptiontable", b"")
    sent["consts"] = tuple(
        _import_code(value[1])
        if isinstance(value, tuple) and len(value) == 2 and value[0] == _CODE_MARK
        else value
        for value in sent["consts"]
    )
    return CodeType(*(sent[name] for name in _FIELDS_HERE))


def _globals_of(module: str) -> dict[str, Any]:
    """Return the globals of a module, or of __main__ if the module cannot be imported."""
    try:
        __import__(module)
    except ImportError:
        module = "__main__"
    return sys.modules[module].__dict__


def import_function(
    function: tuple, globals: dict[str, Any] | None = None, def_: bool = True
) -> FunctionType:
    """Return the function that a client's `teleport` has sent.

    function: (name, module, defaults, keyword defaults, code); rpyc 4.1 sends no keyword defaults.
    globals: the function's globals; None: the globals of `module`. If globals is a netref of a dict
    of the client, the dict is copied. def_: if true, adds the function to the globals.
    """
    name, module, defaults, *keyword_defaults, code = function
    if globals is None:
        globals = _globals_of(module)
    elif type(globals) is not dict:  # FunctionType accepts only a dict
        globals = dict(globals.items())
    globals.setdefault("__builtins__", __builtins__)
    made = FunctionType(_import_code(code), globals, name, defaults)
    if keyword_defaults and keyword_defaults[0] is not None:
        made.__kwdefaults__ = dict(keyword_defaults[0])
    if def_:
        globals[name] = made
    return made


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module


MODULES = {
    "rpyc.lib.compat": _module("rpyc.lib.compat", pickle=pickle),
    "rpyc.utils.teleportation": _module(
        "rpyc.utils.teleportation", import_function=import_function
    ),
}
