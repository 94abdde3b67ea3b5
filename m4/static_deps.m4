dnl SPDX-License-Identifier: BSD-3-Clause

# PYSTUCK_ARCHIVE(NAME)
# Adds libNAME.a to $pystuck_archives. The compiler knows where the system's archives are; the
# directories in $pystuck_dirs are searched as well.
AC_DEFUN([PYSTUCK_ARCHIVE], [
  pystuck_found=
  for pystuck_dir in $pystuck_dirs; do
    AS_IF([test -f "$pystuck_dir/lib$1.a"], [pystuck_found=$pystuck_dir/lib$1.a; break])
  done
  AS_IF([test -z "$pystuck_found"], [pystuck_found=`$CC -print-file-name=lib$1.a`])
  # If the compiler does not find the archive, it prints the name without a directory.
  AS_CASE([$pystuck_found], [/*], [pystuck_archives="$pystuck_archives -l:lib$1.a"],
    [pystuck_missing="$pystuck_missing lib$1.a"])
])

# PYSTUCK_STATIC_DEPS(VARIABLE, PACKAGE, DEBIAN-PACKAGES)
# Replaces the libraries in VARIABLE, those of the pkg-config package, by archives: theirs, and those
# of all libraries that they need. The form -l:libNAME.a survives libtool, which moves -Wl,-Bstatic away
# from the libraries that it is for, and drops the paths of archives from convenience libraries. Debian's libedit.pc names libbsd, but not libmd,
# which libbsd needs.
AC_DEFUN([PYSTUCK_STATIC_DEPS], [
  AC_MSG_CHECKING([for the archives of $2])
  pystuck_flags=`$PKG_CONFIG --static --libs $2 2>/dev/null` || pystuck_flags=$$1
  pystuck_dirs= pystuck_archives= pystuck_missing=
  for pystuck_flag in $LDFLAGS $pystuck_flags; do
    pystuck_rest=${pystuck_flag#-L}
    AS_IF([test "$pystuck_flag" != "$pystuck_rest"], [pystuck_dirs="$pystuck_dirs $pystuck_rest"])
  done
  for pystuck_flag in $pystuck_flags; do
    pystuck_name=${pystuck_flag#-l}
    AS_CASE([$pystuck_flag],
      [-lc | -lm | -ldl | -lrt | -lpthread], [pystuck_archives="$pystuck_archives $pystuck_flag"],
      [-l*], [
        PYSTUCK_ARCHIVE([$pystuck_name])
        AS_IF([test "$pystuck_name" = bsd], [PYSTUCK_ARCHIVE([md])])
      ])
  done
  AC_MSG_RESULT([${pystuck_missing:-found}])
  AS_IF([test -n "$pystuck_missing"],
    [AC_MSG_ERROR([--with-static-deps needs$pystuck_missing: install $3 (Debian, Ubuntu), or build without this option])])
  for pystuck_dir in $pystuck_dirs; do
    pystuck_archives="-L$pystuck_dir $pystuck_archives"
  done
  $1=$pystuck_archives
])
