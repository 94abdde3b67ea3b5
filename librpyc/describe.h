/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Formats values as text, as Python shows them. exception.h does this for remote exceptions.
 */
#ifndef RPYC_DESCRIBE_H
#define RPYC_DESCRIBE_H

#include "buffer.h"
#include "rpyc.h"

/* The functions below do not let the buffer grow beyond this many bytes, and leave out the rest. */
#define DESCRIBE_MAX 1024

/* Append repr(v), or str(v). A netref or local object becomes "<CLASS object>". */
void describe_repr(struct buffer *out, const rpyc_value *v);
void describe_str(struct buffer *out, const rpyc_value *v);

/* Append a NUL-terminated text, len bytes of a text, or the decimal digits of an int. */
void describe_put(struct buffer *out, const char *text);
void describe_put_bytes(struct buffer *out, const char *text, size_t len);
void describe_put_int(struct buffer *out, int64_t n);

#endif
