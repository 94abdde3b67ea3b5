/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Converts Python objects to brine and back, without an intermediate tree of values. An object is
 * sent by value if its exact type is one of the types that rpyc.core.brine.dumpable accepts.
 */
#ifndef PS_PYBRINE_H
#define PS_PYBRINE_H

#include "brine.h"
#include "ext.h"

/* Appends obj as brine. Returns 1 if obj was appended. Returns 0 if obj cannot be sent by value; a
 * part of obj may have been appended, which the caller removes. Returns -1 with an exception for an
 * int with more digits than sys.get_int_max_str_digits(), for a str with a lone surrogate, for too
 * many nested tuples, and if there is no memory. */
int ps_dump(struct buffer *out, PyObject *obj);

/* Reads a value: a new reference. Returns NULL with an exception. If r->failed is RPYC_ELIMIT, the
 * input exceeds a limit. If r->failed is another error, the input is not valid, and the connection
 * cannot be used any more. If r->failed is not set, Python could not make the value (ValueError for
 * an int with too many digits, MemoryError, ...). */
PyObject *ps_load(struct brine_reader *r);

/* Reads a tuple of `count` items. Calls load(context, r) to read each item. Returns a new
 * reference, or NULL with an exception. */
typedef PyObject *(*ps_load_item)(void *context, struct brine_reader *r);
PyObject *ps_load_tuple(void *context, struct brine_reader *r, size_t count, ps_load_item load);

/* Sets an exception for a reader that has failed, unless one is set. Returns NULL. */
PyObject *ps_load_error(const struct brine_reader *r);

#endif
