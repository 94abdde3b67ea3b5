/* SPDX-License-Identifier: BSD-3-Clause
 *
 * certificate: a CA, certificates that it signs for servers and clients, and its list of those that
 * hold no more. By OpenSSL 1.1.1 and later; for pystuck-keys(1).
 *
 * All keys are on the curve P-256. What fails leaves OpenSSL's error queue to tell why.
 */
#ifndef KEYS_CERTIFICATE_H
#define KEYS_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* A certificate and its key, both owned: certificate_clear. */
struct certificate {
    X509 *cert;
    EVP_PKEY *key;
};

void certificate_clear(struct certificate *c);

/* How much of a name fits: X.520's ub-common-name. */
#define CERTIFICATE_NAME_MAX 64

/* A CA of its own name. */
int certificate_make_ca(struct certificate *out, int days);

/* Names and addresses that a server is reached by; which of the two each is shows. */
struct names {
    const char **all;
    size_t count;
};

/* Whether it can be in a server's certificate. */
bool certificate_is_name(const char *name);

/* For a server with these names, and for a client that is called name. Neither holds for longer
 * than the CA. */
int certificate_make_server(struct certificate *out, const struct names *names, int days,
                            const struct certificate *ca);
int certificate_make_client(struct certificate *out, const char *name, int days,
                            const struct certificate *ca);

/* Puts a certificate on the CA's list, which is made if *list is NULL. Returns 1, or 0: it was
 * there already; -1. The list holds for as long as the CA. */
int certificate_revoke(X509_CRL **list, X509 *cert, const struct certificate *ca);

#endif
