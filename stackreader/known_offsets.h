/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The offsets of the versions of CPython that the stack reader supports, for processes whose Python
 * is not the caller's, and for callers without Python.
 *
 * For 3.9 to 3.12, there are tables that pystuck_ext/print_offsets has made from the headers of
 * each version. From 3.13 on, _PyRuntime begins with a struct _Py_DebugOffsets. This struct has
 * neither a length nor a version of its layout, and each minor version has inserted members in its
 * middle. So there is one layout for each minor version, and values that contradict the layout are
 * rejected.
 */
#ifndef STACKREADER_KNOWN_OFFSETS_H
#define STACKREADER_KNOWN_OFFSETS_H

#include <stddef.h>

#include "offsets.h"

/* The parts of a version number that has the form of PY_VERSION_HEX: 0x030d00f0 is 3.13.0. The
 * level is 0xa for an alpha, 0xb for a beta, 0xc for a candidate and 0xf for a final version. */
#define VERSION_MINOR(hex) ((int)((hex) >> 16 & 0xff))
#define VERSION_MICRO(hex) ((int)((hex) >> 8 & 0xff))
#define VERSION_LEVEL(hex) ((int)((hex) >> 4 & 0xf))

/* The first minor version that has _Py_DebugOffsets. */
#define DEBUG_OFFSETS_MINOR 13

/* The most bytes of _PyRuntime that known_debug_offsets() reads. */
#define DEBUG_OFFSETS_SIZE 1024

enum known_result {
    KNOWN_OK,
    KNOWN_NO_COOKIE,     /* the bytes are not a struct _Py_DebugOffsets */
    KNOWN_VERSION,       /* the version is not supported */
    KNOWN_FREE_THREADED, /* a build without a GIL */
    KNOWN_CONTRADICTION  /* the values cannot be those of this version */
};

/* True if a version is supported: 3.9 to 3.15, and no alpha or beta. */
bool known_version(uint32_t version);

/* Sets *out to the offsets of 3.minor. Returns false if there is no table for this version. There
 * are tables for 3.9 to 3.12. */
bool known_offsets(int minor, struct offsets *out);

/* Sets *out to the offsets in the struct _Py_DebugOffsets with which _PyRuntime begins, and
 * *version to the version of Python in this struct. If _PyRuntime does not begin with this struct,
 * sets *version to 0. bytes: a copy of the first `size` bytes of _PyRuntime. */
enum known_result known_debug_offsets(const void *bytes, size_t size, struct offsets *out,
                                      uint32_t *version);

#endif
