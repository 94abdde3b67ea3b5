/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks offsets for the stack reader against the running Python: uses each offset to read a value
 * that Python itself also returns, and compares the two values.
 */
#ifndef PS_OFFSETS_CHECK_H
#define PS_OFFSETS_CHECK_H

#include "ext.h"
#include "python_process.h"

/* Returns NULL if the offsets of py, which must be this process, are right. Returns a constant
 * sentence if an offset is wrong, or if there is no memory. Runs a few lines of Python code, and
 * releases the GIL for a moment. Sets no exception. */
const char *ps_offsets_check(const struct python *py);

/* Runs Python code that defines a function outer(), and calls outer(check, argument); argument may
 * be NULL. check: a function made from `method`, whose self is a capsule with the pointer `probe`
 * and without a name. Trace and profile functions of the program are not called for this code.
 * Returns false, with an exception, if the code fails. */
bool ps_offsets_run(const char *text, PyMethodDef *method, void *probe, PyObject *argument);

#endif
