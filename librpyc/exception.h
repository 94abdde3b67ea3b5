/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Remote exceptions, as C callers get them (struct rpyc_exception) and raise them. vinegar.h has
 * their encoding.
 */
#ifndef RPYC_EXCEPTION_H
#define RPYC_EXCEPTION_H

#include "brine.h"

/* Reads the exception in a reply. Fills err with the code RPYC_EREMOTE and this exception. Other
 * errors: RPYC_EPROTOCOL or RPYC_ELIMIT if r does not contain an exception, RPYC_ENOMEM. Returns -1
 * in all cases. */
int exception_raise(struct brine_reader *r, struct rpyc_error *err);

/* Returns the name of a class in the module builtins, such as "TypeError": the exception that the
 * peer gets if its request has failed in this process with `code`. */
const char *exception_class(enum rpyc_errcode code);

/* Appends the exception as vinegar. */
void exception_put(struct buffer *out, const struct rpyc_exception *exc);

/* Appends the class and the str() of an exception, as in the last line of a Python traceback. For a
 * SyntaxError, also appends the file, and the number and the text of the line. Stops when `out` has
 * DESCRIBE_MAX bytes. */
void exception_describe(struct buffer *out, const struct rpyc_exception *exc);

#endif
