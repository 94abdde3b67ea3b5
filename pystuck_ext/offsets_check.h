/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks offsets for the stack reader against the running Python: each of them is used to read
 * something that Python itself also tells.
 */
#ifndef PS_OFFSETS_CHECK_H
#define PS_OFFSETS_CHECK_H

#include "ext.h"
#include "python_process.h"

/* Returns NULL if the offsets of a process, which must be this one, are right. Otherwise, or if
 * memory is short, returns a constant sentence. Runs a few lines of Python code, and gives up the
 * GIL for a moment. No exception is set. */
const char *ps_offsets_check(const struct python *py);

#endif
