"""Imports, when a server starts, the modules that answers to clients need.

Later, the program may be stuck while it holds the import lock. Formatting a traceback imports
further modules, which differ between versions of Python. So this module formats a stack and some
exceptions, so that these further modules are imported now.
"""

from __future__ import annotations

import ast  # noqa: F401  for the carets below a part of a source line
import codeop  # noqa: F401  for cells of pystuck(1); so are contextvars, linecache, pprint
import contextvars  # noqa: F401
import json  # noqa: F401  for pystuck --json
import linecache  # noqa: F401
import pprint  # noqa: F401
import sys
import tokenize  # noqa: F401  for reading source
import traceback
from collections.abc import Callable


def _format_failure(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:
        traceback.format_exception(*sys.exc_info())


traceback.format_stack(limit=1)  # only the frame of this module
_format_failure(lambda: 1 + [][0] + 1)
# The names are misspelt on purpose: formatting these errors loads the code for "Did you mean: ...".
_format_failure(lambda: sys.versoin)  # type: ignore[attr-defined]
_format_failure(lambda: traceabck)  # type: ignore[name-defined]  # noqa: F821
