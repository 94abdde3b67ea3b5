/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Certificates for the tests of TLS. They are written to a new directory, the current one, before
 * the first test. The directory is removed after the last.
 */
#ifndef IDENTITIES_H
#define IDENTITIES_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "unit.h"

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

/* The identities. Their files are in the current directory. */
extern struct identity ca, other_ca, server, expired, stranger, client;

/* Makes a certificate that is valid from yesterday on, for `days`. Without an issuer it is a CA. */
struct identity make_identity(const char *name, const struct identity *issuer, int days,
                              const char *alternative_names);
void free_identity(struct identity *i);

/* Writes the parts that are not NULL; encrypts the key if there is a passphrase. */
void write_pem(const char *file, X509 *cert, EVP_PKEY *key, const char *passphrase);

/* Writes the CA's revocation list, with this certificate; with none if NULL. */
void write_crl(const char *file, X509 *revoked);

#endif
