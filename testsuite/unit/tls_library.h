/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which librpyc-ssl is loaded: the one that was just built. tls.c looks for the installed one
 * first.
 */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include <stdbool.h>

struct stream_tls;

/* Set by a test: no library is found. */
extern bool library_missing;

/* Set by a test: this is found in the library, which may be NULL. */
extern bool library_replaced;
extern const struct stream_tls *other_library;

#endif
