/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values as text, as Python shows them. Remote exceptions: exception.h.
 */
#ifndef RPYC_DESCRIBE_H
#define RPYC_DESCRIBE_H

#include "buffer.h"
#include "rpyc.h"

/* The most bytes that one text gets, as a line of rpyc_error. What follows is left out. */
#define DESCRIBE_MAX 1024

/* Appends repr(v), or str(v). */
void describe_repr(struct buffer *out, const rpyc_value *v);
void describe_str(struct buffer *out, const rpyc_value *v);

/* Appends a text, bytes, or the digits of an int, up to DESCRIBE_MAX. */
void describe_put(struct buffer *out, const char *text);
void describe_put_bytes(struct buffer *out, const char *text, size_t len);
void describe_put_int(struct buffer *out, int64_t n);

#endif
