/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks the offsets that the stack reader needs for locks only, against the running Python: makes
 * locks and other objects, enters `with` blocks, calls functions, and compares what the reader
 * finds with what was made.
 */
#ifndef PS_LOCK_OFFSETS_CHECK_H
#define PS_LOCK_OFFSETS_CHECK_H

#include "ext.h"
#include "python_process.h"

/* Returns NULL if the offsets of py for locks are right. Call after ps_offsets_check has returned
 * NULL for py. Returns a constant sentence if an offset is wrong, or if there is no memory. Runs a
 * few lines of Python code. Sets no exception. */
const char *ps_lock_offsets_check(const struct python *py);

#endif
