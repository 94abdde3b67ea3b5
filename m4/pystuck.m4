dnl SPDX-License-Identifier: BSD-3-Clause

# PYSTUCK_CHECK_FLAG(FLAG, [IF-SUPPORTED], [IF-NOT])
# Checks that the compiler accepts FLAG for compiling and linking. Uses -Werror, because clang only
# warns about unknown flags.
AC_DEFUN([PYSTUCK_CHECK_FLAG], [
  AC_MSG_CHECKING([whether $CC accepts $1])
  pystuck_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [pystuck_flag=yes], [pystuck_flag=no])
  CFLAGS=$pystuck_save_CFLAGS
  AC_MSG_RESULT([$pystuck_flag])
  AS_IF([test $pystuck_flag = yes], [$2], [$3])
])

# PYSTUCK_SANITIZER_RUNTIME
# Sets SANITIZER_PRELOAD to the value of LD_PRELOAD for the sanitizers in $enable_sanitizers: the path
# of the shared runtime of $CC.
AC_DEFUN([PYSTUCK_SANITIZER_RUNTIME], [
  AC_MSG_CHECKING([for the shared sanitizer runtime])
  AS_CASE([$enable_sanitizers], [*thread*], [pystuck_san=tsan], [pystuck_san=asan])
  # The names of clang come first, because clang also finds the library of gcc.
  for pystuck_lib in libclang_rt.$pystuck_san-$host_cpu.so libclang_rt.$pystuck_san.so \
    lib$pystuck_san.so; do
    SANITIZER_PRELOAD=`$CC -print-file-name=$pystuck_lib`
    # If the compiler does not find the library, it prints the name without a directory.
    AS_CASE([$SANITIZER_PRELOAD], [/*], [break], [SANITIZER_PRELOAD=])
  done
  AC_MSG_RESULT([${SANITIZER_PRELOAD:-not found}])
  AS_IF([test -z "$SANITIZER_PRELOAD"],
    [AC_MSG_ERROR([$CC has no shared sanitizer runtime, which the extension needs])])
  AC_SUBST([SANITIZER_PRELOAD])
])

# PYSTUCK_PYTHON
# Chooses the interpreter that the extension is built for, and runs ask_python.py with it. Sets PYTHON
# (the path of the real executable, also if PYTHON was a wrapper script such as pyenv's),
# PYTHON_VERSION, PYTHON_CPPFLAGS, PYTHON_EXT_SUFFIX, PYTHON_STARTUP (the suffix of the files that
# Python reads when it starts), pythondir, and python_shown (pythondir as the summary shows it).
AC_DEFUN([PYSTUCK_PYTHON], [
  AC_ARG_VAR([PYTHON], [the Python interpreter (3.9 or later) to build the extension for])
  AC_ARG_VAR([pythondir], [where to install the Python package and the extension])
  # Only if PYTHON is not set: AC_PATH_PROGS ignores a value without a directory.
  AS_IF([test -z "$PYTHON"], [AC_PATH_PROGS([PYTHON], [python3 python])])
  AS_IF([test -z "$PYTHON"],
    [AC_MSG_ERROR([no Python found: install python3-dev (Debian, Ubuntu) or python3-devel (Fedora), or set PYTHON=])])

  AC_MSG_CHECKING([for the version of $PYTHON])
  pystuck_python=`"$PYTHON" "$srcdir/m4/ask_python.py"` ||
    AC_MSG_ERROR([$PYTHON cannot be used: it must be CPython 3.9 or later])
  eval "$pystuck_python"
  AC_MSG_RESULT([$PYTHON, $PYTHON_VERSION])

  pystuck_save_CPPFLAGS=$CPPFLAGS
  CPPFLAGS="$CPPFLAGS $PYTHON_CPPFLAGS"
  AC_CHECK_HEADER([Python.h], [],
    [AC_MSG_ERROR([Python.h of $PYTHON is missing: install python3-dev (Debian, Ubuntu) or python3-devel (Fedora), or choose another interpreter with PYTHON=])])

  # An extension that was compiled with the headers of another Python, or of a debug build, would crash.
  AC_MSG_CHECKING([whether Python.h belongs to $PYTHON])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <Python.h>
#ifdef Py_DEBUG
#define DEBUG_BUILD 1
#else
#define DEBUG_BUILD 0
#endif
#if PY_VERSION_HEX >> 16 != $python_hexversion >> 16 || DEBUG_BUILD != $python_debug
#error Python.h belongs to another Python
#endif
]])], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([Python.h does not belong to $PYTHON, or cannot be compiled: see config.log])])

  # The stack reader needs the layout of CPython's internal structs. Without these headers it is not
  # built.
  AC_MSG_CHECKING([for the internal headers of $PYTHON])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
]])], [python_internals=yes
     AC_DEFINE([HAVE_PYTHON_INTERNALS], [1], [Python's internal headers are installed.])],
    [python_internals=no])
  AC_MSG_RESULT([$python_internals])
  AM_CONDITIONAL([PYTHON_INTERNALS], [test $python_internals = yes])
  CPPFLAGS=$pystuck_save_CPPFLAGS

  AC_MSG_CHECKING([for Python's site directory under the prefix])
  pystuck_prefix=$prefix
  AS_IF([test "$prefix" = NONE], [pystuck_prefix=$ac_default_prefix])
  python_note=
  AS_IF([test -z "$pythondir"], [
    eval "`"$PYTHON" "$srcdir/m4/ask_python.py" "$pystuck_prefix"`"
    AS_IF([test $python_searched = no], [python_note=" (add it to PYTHONPATH: Python does not search there)"])
  ])
  python_shown=`prefix=$pystuck_prefix; eval echo "$pythondir"`$python_note
  AC_MSG_RESULT([$python_shown])
  AC_SUBST([PYTHON_VERSION])
  AC_SUBST([PYTHON_CPPFLAGS])
  AC_SUBST([PYTHON_EXT_SUFFIX])
  AC_SUBST([PYTHON_STARTUP])
  AM_CONDITIONAL([STARTUP_MODULE], [test "$PYTHON_STARTUP" = .start])
  AC_SUBST([pythondir])
])
