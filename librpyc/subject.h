/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Of librpyc-ssl: whom a certificate is for.
 */
#ifndef RPYC_SUBJECT_H
#define RPYC_SUBJECT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* The subject as RFC 2253 writes it ("CN=alice,O=Example"), cut off where it does not fit. */
void subject_text(const X509 *cert, char *out, size_t size);

/* Whether the subject is among those of a list that NULL ends: each a common name ("alice"), or,
 * with a "=" in it, a whole subject as subject_text writes it. */
bool subject_is_one_of(const X509 *cert, const char *const *allowed);

#endif
