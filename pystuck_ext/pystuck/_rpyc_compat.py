"""What the helpers of stock clients import in a debuggee that has no rpyc.

`rpyc.classic.deliver` asks for the pickle of rpyc.lib.compat, and `teleport` for the
import_function of rpyc.utils.teleportation. Neither is put into sys.modules: for the debuggee there
is no rpyc.
"""

from __future__ import annotations

import pickle
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any

#: What stands before a code object among the constants of another one.
_CODE_MARK = "MAg1c J0hNNzo0hn ZqhuBP17LQk8"

#: The fields of a code object as each generation of Python sends them: 3.8 to 3.10, 3.11 on.
_FIELDS_3_8 = (
    "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames "
    "filename name firstlineno lines freevars cellvars"
).split()
_FIELDS_3_11 = (
    "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames "
    "filename name qualname firstlineno lines exceptiontable freevars cellvars"
).split()

#: How CodeType takes them here.
_FIELDS_HERE = _FIELDS_3_11 if sys.version_info >= (3, 11) else _FIELDS_3_8


def _import_code(fields: tuple) -> CodeType:
    """The code object that was sent as these fields.

    The bytecode of another Python means something else here, if anything: as with stock rpyc, it is
    for the client to see that both are of one version. Raises ValueError for fields that are not
    known, which those of Python 3.7 are.
    """
    if len(fields) == len(_FIELDS_3_11):
        sent = dict(zip(_FIELDS_3_11, fields))
    elif len(fields) == len(_FIELDS_3_8):
        sent = dict(zip(_FIELDS_3_8, fields))
    else:
        raise ValueError(f"a code object of {len(fields)} fields, from an unknown Python")
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
    """The globals of a module here, or of __main__ where there is none of that name."""
    try:
        __import__(module)
    except ImportError:
        module = "__main__"
    return sys.modules[module].__dict__


def import_function(
    function: tuple, globals: dict[str, Any] | None = None, def_: bool = True
) -> FunctionType:
    """Make a function of what a client's `teleport` sent.

    function: (name, module, defaults, keyword defaults, code), from rpyc 4.1 without the fourth.
    globals: what it is to run in; a dict of the client's is copied. def_: whether it is entered
    there.
    """
    name, module, defaults, *keyword_defaults, code = function
    if globals is None:
        globals = _globals_of(module)
    elif type(globals) is not dict:  # FunctionType takes no other
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
