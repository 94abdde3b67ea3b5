/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Part of librpyc-ssl: the subject of a certificate.
 */
#ifndef RPYC_SUBJECT_H
#define RPYC_SUBJECT_H

#include <stddef.h>

#include "openssl.h"

/* Writes the subject in the syntax of RFC 2253 ("CN=alice,O=Example"), cut off if it does not fit.
 * */
void subject_text(const X509 *cert, char *out, size_t size);

/* True if the subject is in a list that ends with NULL. Each item is a common name ("alice") or, if
 * it contains a "=", a whole subject as subject_text writes it. */
bool subject_is_one_of(const X509 *cert, const char *const *allowed);

#endif
