/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Remote exceptions, as C callers get them (struct rpyc_exception) and raise them. How they look on
 * the wire: vinegar.h.
 */
#ifndef RPYC_EXCEPTION_H
#define RPYC_EXCEPTION_H

#include "brine.h"

/* Reads the exception that a reply holds into err. Returns -1. Errors: RPYC_EREMOTE, with the
 * exception; RPYC_EPROTOCOL or RPYC_ELIMIT where r does not hold one; RPYC_ENOMEM. */
int exception_raise(struct brine_reader *r, struct rpyc_error *err);

/* Returns the name of the builtin exception that the peer gets for the error of a request to this
 * process. */
const char *exception_class(enum rpyc_errcode code);

/* Appends the exception as vinegar. */
void exception_put(struct buffer *out, const struct rpyc_exception *exc);

/* Appends the class and str() of an exception as the last line of a Python traceback shows them; of
 * a SyntaxError also the file, the line and its text. Appends at most DESCRIBE_MAX bytes. */
void exception_describe(struct buffer *out, const struct rpyc_exception *exc);

#endif
