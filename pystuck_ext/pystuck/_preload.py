"""Imports the modules that answers to clients need, when a server starts.

Later the program may be stuck with the import lock. Formatting a traceback imports further modules,
which differ between versions of Python, so one traceback of each kind is formatted here.
"""

from __future__ import annotations

import ast  # noqa: F401  for the carets below a part of a line
import codeop  # noqa: F401  for cells of pystuck(1), like contextvars, linecache, pprint
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
_format_failure(lambda: sys.versoin)  # type: ignore[attr-defined]  # did you mean?
_format_failure(lambda: traceabck)  # type: ignore[name-defined]  # noqa: F821
