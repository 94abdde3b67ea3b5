"""Imported when a server starts: brings in what its answers need, for later the import lock may be
what is stuck.

Formatting a traceback imports more on first use, in each version of Python something else: so one
is formatted here, of each kind.
"""

from __future__ import annotations

import ast  # noqa: F401  the carets below a part of a line
import codeop  # noqa: F401  cells of pystuck(1), and so are contextvars, linecache and pprint
import contextvars  # noqa: F401
import json  # noqa: F401  pystuck --json
import linecache  # noqa: F401
import pprint  # noqa: F401
import sys
import tokenize  # noqa: F401  reading source
import traceback
from collections.abc import Callable


def _format_failure(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:
        traceback.format_exception(*sys.exc_info())


traceback.format_stack(limit=1)  # of this module: the program's own frames are not looked at
_format_failure(lambda: 1 + [][0] + 1)
_format_failure(lambda: sys.versoin)  # type: ignore[attr-defined]  # did you mean?
_format_failure(lambda: traceabck)  # type: ignore[name-defined]  # noqa: F821
