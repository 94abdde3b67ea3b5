# SPDX-License-Identifier: BSD-3-Clause
"""Prints facts about the interpreter that runs it, as shell assignments, for configure.

Without an argument: the version, and how to compile for it. With a prefix: the directory for
modules below this prefix. automake's own macro does not know the directories of Debian's python3,
which differ between /usr and /usr/local; the interpreter's module site knows them.
"""

import os
import shlex
import site
import sys
import sysconfig


def show(name, value):
    print(name + "=" + shlex.quote(value))


def include_option(directory):
    # With -isystem there are no warnings about Python's headers. But gcc resolves links to headers
    # in such a directory, and then searches the directory of the real file. If Python.h is a link,
    # as in Debian's debug build, gcc would find the pyconfig.h of another Python there.
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
    # From 3.18 on, the module site ignores code in .pth files. From 3.15 on, it reads .start files,
    # but for these each start of Python imports the module that the file names, and pkgutil and re.
    show("PYTHON_STARTUP", ".start" if sys.version_info >= (3, 18) else ".pth")


def locate(prefix):
    prefix = os.path.normpath(prefix)
    # With "lib", the prefix /usr does not match /usr/local/lib/....
    inside = os.path.join(prefix, "lib")
    under = [path for path in site.getsitepackages() if path.startswith(inside)]
    bases = {"base": prefix, "platbase": prefix, "installed_base": prefix}
    found = under[0] if under else sysconfig.get_path("platlib", "posix_prefix", bases)
    show("python_searched", "yes" if found in sys.path else "no")
    # make expands ${prefix}, so that `make prefix=...` also moves the modules.
    show("pythondir", "${prefix}/" + os.path.relpath(found, prefix))


if len(sys.argv) > 1:
    locate(sys.argv[1])
else:
    describe()
