/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks offsets for the stack reader against the running Python: uses each offset to read a value
 * that Python itself also returns, and compares the two values.
 */
#ifndef PS_OFFSETS_CHECK_H
#define PS_OFFSETS_CHECK_H

#include "ext.h"
#include "python_process.h"

/* The sentence that says that some offsets are wrong. what: a string constant, the objects that
 * cannot be read. */
#define OFFSETS_WRONG(what) "offsets are wrong: " what " cannot be read"

/* Returns the address of an object, as the stack reader has it. */
static inline uint64_t ps_address_of(const void *object)
{
    return (uint64_t)(uintptr_t)object;
}

/* Returns the value of 8 bytes at an offset in an object, as the stack reader reads it. Returns
 * UINT64_MAX if these bytes cannot be read. */
static inline uint64_t ps_member(const struct python *py, const void *object, int offset)
{
    uint64_t value;

    return read_member(py, ps_address_of(object), offset, &value) ? value : UINT64_MAX;
}

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
