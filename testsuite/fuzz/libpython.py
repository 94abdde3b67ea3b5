#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints the linker flags for a C program that embeds this Python, or why it cannot be embedded.

Does not use python3-config, which may be missing or belong to another Python.
"""

import os
import sys
import sysconfig


def main() -> None:
    """Looks for a shared library, then for a static one."""
    var = sysconfig.get_config_var
    folders = [var("LIBDIR"), var("LIBPL")]
    shared, static = [var("LDLIBRARY"), var("INSTSONAME")], [var("LIBRARY")]
    if not var("Py_ENABLE_SHARED"):
        shared = []
    looked_for = [os.path.join(f, n) for n in shared + static for f in folders if f and n]
    found = next(filter(os.path.exists, looked_for), None)
    if found is None:
        sys.exit(f"{sys.executable} has no library: none of {', '.join(looked_for)}")
    flags = [found, var("LIBS") or "", var("SYSLIBS") or ""]
    if found.endswith(".a"):
        flags.append(var("LINKFORSHARED") or "")
    else:
        flags.append(f"-Wl,-rpath,{os.path.dirname(found)}")
    print(*flags)


if __name__ == "__main__":
    main()
