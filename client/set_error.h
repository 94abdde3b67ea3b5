/* SPDX-License-Identifier: BSD-3-Clause
 *
 * set_error: fills a struct rpyc_error for an error that the client found.
 */
#ifndef CLIENT_SET_ERROR_H
#define CLIENT_SET_ERROR_H

#include <rpyc.h>

/* Fills *err with a code and a sentence, which is formatted as by printf(). Returns -1. */
int set_error(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
