/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Exceptions on the wire (rpyc/core/vinegar.py; doc/protocol.md, "Exceptions"). All of librpyc
 * writes and reads them with these functions, which work on brine and create no objects.
 */
#ifndef RPYC_VINEGAR_H
#define RPYC_VINEGAR_H

#include "brine.h"

/* Appends the start of an exception: its module and class name, both UTF-8. The caller then appends
 * three values: the arguments, a tuple; the attributes, a tuple of (name, value) tuples; the text
 * of the traceback, a str. */
void vinegar_begin(struct buffer *out, const char *module, const char *name);

/* Appends a whole exception that has one argument, a text in UTF-8. A program in C has no
 * traceback, so the text is sent in place of the traceback. */
void vinegar_put_text(struct buffer *out, const char *module, const char *name, const char *text);

/* A part of the bytes that were read. If the part is a str, these bytes are its text in UTF-8. For
 * any other value, they are its brine. */
struct vinegar_part {
    const char *data;
    size_t len;
};

/* An exception that was read. Its parts point into the bytes that were read. */
struct vinegar {
    struct vinegar_part module, name;
    struct vinegar_part args, attributes; /* tuples, as brine */
    struct vinegar_part traceback;
};

/* Reads an exception. An int stands for StopIteration, and is read as builtins.StopIteration
 * without arguments. Returns false, and makes r fail, if the value is not an exception. */
bool vinegar_next(struct brine_reader *r, struct vinegar *v);

#endif
