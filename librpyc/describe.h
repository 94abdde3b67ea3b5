/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values and remote exceptions as text, as Python shows them.
 */
#ifndef RPYC_DESCRIBE_H
#define RPYC_DESCRIBE_H

#include "buffer.h"
#include "error.h"

/* Texts are for one line of rpyc_error: what follows so many bytes is left out. */
#define DESCRIBE_MAX 1024

/* The name of a value's type: "int", "NoneType", and "numpy.float64" for a netref. Borrowed from
 * the value. NULL is "no value". */
const char *describe_type(const rpyc_value *v);

/* Appends repr(v), or str(v). */
void describe_repr(struct buffer *out, const rpyc_value *v);
void describe_str(struct buffer *out, const rpyc_value *v);

/* Appends the class and str() of an exception, as the last line of a traceback has them; for a
 * SyntaxError also the file, the line and its text. */
void describe_exception(struct buffer *out, const struct rpyc_exception *exc);

#endif
