# SPDX-License-Identifier: BSD-3-Clause
"""Called when Python 3.18 or later starts: starts a server if the variable PYSTUCK asks for one.

The module `site` reads pystuck-startup.start, which is installed beside this module, and calls
start(). For earlier versions this module is not installed: the line in pystuck-startup.pth does the
same, and imports nothing if the variable is not set.
"""

import os
import sys


def start() -> None:
    """Import pystuck, which starts the server, if PYSTUCK is set. Never raises, prints nothing.

    Does nothing with python -E and -I, and in subinterpreters: the server of the main interpreter
    serves the whole process. pystuck itself starts no server if the process has more rights than
    its caller.
    """
    if sys.flags.ignore_environment or os.environ.get("PYSTUCK", "0") in ("", "0"):
        return
    try:
        import _pystuck

        if _pystuck.is_main_interpreter():
            import pystuck  # noqa: F401
    except Exception:  # such as ImportError while pystuck is being installed or removed
        pass
