# SPDX-License-Identifier: BSD-3-Clause
"""Run by configure with the interpreter in question; prints shell assignments.

Without an argument: which interpreter it is. With a prefix: where under it modules go. automake's
own macro does not know that Debian's python3 has its modules in dist-packages, and in another place
under /usr than under /usr/local; the interpreter's site module does.
"""

import os
import shlex
import site
import sys
import sysconfig


def show(name, value):
    print(name + "=" + shlex.quote(value))


def include_option(directory):
    # -isystem: warnings about its headers are not ours to mend. But gcc takes the real names of
    # such headers, and with them what lies beside the real ones: where only links are, as for
    # Debian's debug build, it would find the pyconfig.h of another Python.
    header = os.path.join(directory, "Python.h")
    return ("-I" if os.path.islink(header) else "-isystem ") + directory


def describe():
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9):
        sys.exit("this is {} {}.{}".format(sys.implementation.name, *sys.version_info))
    include = [sysconfig.get_path("include"), sysconfig.get_path("platinclude")]
    show("PYTHON", sys.executable)
    show("PYTHON_VERSION", "{}.{}.{}".format(*sys.version_info))
    show("PYTHON_CPPFLAGS", " ".join(map(include_option, dict.fromkeys(include))))
    show("python_hexversion", hex(sys.hexversion))
    show("python_debug", "1" if hasattr(sys, "gettotalrefcount") else "0")
    show("PYTHON_EXT_SUFFIX", sysconfig.get_config_var("EXT_SUFFIX"))


def locate(prefix):
    prefix = os.path.normpath(prefix)
    # "lib" keeps /usr/local/lib/... out when the prefix is /usr.
    inside = os.path.join(prefix, "lib")
    under = [path for path in site.getsitepackages() if path.startswith(inside)]
    bases = {"base": prefix, "platbase": prefix, "installed_base": prefix}
    found = under[0] if under else sysconfig.get_path("platlib", "posix_prefix", bases)
    show("python_searched", "yes" if found in sys.path else "no")
    # ${prefix} is left to make, so that `make prefix=...` takes the module along.
    show("pythondir", "${prefix}/" + os.path.relpath(found, prefix))


if len(sys.argv) > 1:
    locate(sys.argv[1])
else:
    describe()
