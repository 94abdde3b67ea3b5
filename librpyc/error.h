/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Filling an rpyc_error, once, where it is known what happened.
 */
#ifndef RPYC_ERROR_INTERNAL_H
#define RPYC_ERROR_INTERNAL_H

#include "rpyc.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

/* All that a vinegar tuple says; every string is owned and NUL-terminated. */
struct rpyc_exception {
    char *module;
    char *name;
    char *traceback;
    rpyc_value *args;       /* a tuple */
    rpyc_value *attributes; /* a tuple of (name, value) */
};

/* Fills err (NULL is allowed) with a code and a printf text. Always returns -1, so that a caller
 * can say `return error_set(...)`. */
int error_set(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: the text is followed by ": " and strerror(number). */
int error_system(struct rpyc_error *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int error_nomem(struct rpyc_error *err);

/* The same for an exception of the other side, which err takes. err may be NULL here too. */
int error_remote(struct rpyc_error *err, struct rpyc_exception *exc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An exception of a class, with a traceback, both copied, and without arguments or attributes.
 * NULL: no memory. */
struct rpyc_exception *exception_new(const char *module, const char *name, const char *traceback);

/* Frees an exception with all that it has; NULL is allowed. */
void exception_free(struct rpyc_exception *exc);

#endif
