/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Functions that fill a struct rpyc_error. The function that detects a failure fills the error,
 * once; its callers only pass the error on.
 */
#ifndef RPYC_ERROR_INTERNAL_H
#define RPYC_ERROR_INTERNAL_H

#include "rpyc.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

/* A remote exception: see exception.h. Owns its strings, which are NUL-terminated. */
struct rpyc_exception {
    void (*free)(struct rpyc_exception *exc);
    char *module;
    char *name;
    char *traceback;
    rpyc_value *args;       /* a tuple */
    rpyc_value *attributes; /* a tuple of (name, value) tuples */
};

/* Initializes err to "no error", like RPYC_ERROR_INIT, but does not fill all of its text with
 * zeros. Does not set err->tls, which has a meaning only if the code is RPYC_ETLS. */
static inline void error_init(struct rpyc_error *err)
{
    err->code = RPYC_OK;
    err->sys_errno = 0;
    err->text[0] = '\0';
    err->remote = NULL;
}

/* Fills err (NULL is allowed) with a code and a printf text. Returns -1, so that a caller can write
 * `return error_set(...)`. */
int error_set(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills err (NULL is allowed) with RPYC_ESYSTEM, for a system call that failed with the errno
 * `number`. The text is the printf text, ": " and strerror(number). Returns -1. */
int error_system(struct rpyc_error *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills err (NULL is allowed) with RPYC_ETLS, a reason and a printf text. Returns -1. */
int error_tls(struct rpyc_error *err, enum rpyc_tls_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills err (NULL is allowed) with a copy of `why`, without its remote exception. Returns -1. */
int error_copy(struct rpyc_error *err, const struct rpyc_error *why);

/* Fills err (NULL is allowed) with RPYC_ENOMEM. Returns -1. */
int error_nomem(struct rpyc_error *err);

/* Fills err (NULL is allowed) with RPYC_EREMOTE, a printf text and the exception exc. Takes exc,
 * and frees it if err is NULL. Returns -1. */
int error_remote(struct rpyc_error *err, struct rpyc_exception *exc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
