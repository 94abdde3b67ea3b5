/* SPDX-License-Identifier: BSD-3-Clause
 *
 * certificate: makes a CA, certificates for servers and clients, and lists of revoked certificates,
 * with OpenSSL 1.1.1 or later.
 *
 * All keys are on the curve P-256. The functions return 0, or -1 with the reason in OpenSSL's error
 * queue.
 */
#ifndef KEYS_CERTIFICATE_H
#define KEYS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "openssl.h"

/* A certificate and its key. Free both with certificate_clear(). */
struct certificate {
    X509 *cert;
    EVP_PKEY *key;
};

void certificate_clear(struct certificate *c);

/* The longest common name, in bytes: ub-common-name of X.520. */
#define CERTIFICATE_NAME_MAX 64

/* Makes a CA with a random name. The CA is valid for this number of days, but at least for ten
 * years. */
int certificate_make_ca(struct certificate *out, int days);

/* The host names and IP addresses of a server. */
struct names {
    const char **all;
    size_t count;
};

/* True if the text is a host name or an IP address that can be in a certificate. */
bool certificate_is_name(const char *name);

/* Make a certificate for a server with these names, or for a client with this name, signed by the
 * CA. It is valid for this number of days, but not longer than the CA. */
int certificate_make_server(struct certificate *out, const struct names *names, int days,
                            const struct certificate *ca);
int certificate_make_client(struct certificate *out, const char *name, int days,
                            const struct certificate *ca);

/* Adds a certificate to the CA's list of revoked certificates, and signs the list. Creates the list
 * if *list is NULL. The list is valid for as long as the CA. Returns 1; 0 if the certificate was on
 * the list already; or -1. */
int certificate_revoke(X509_CRL **list, X509 *cert, const struct certificate *ca);

#endif
