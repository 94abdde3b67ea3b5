/* SPDX-License-Identifier: BSD-3-Clause */
#include "subject.h"

#include <stdio.h>
#include <string.h>

#define SUBJECT_MAX 1024

/* Writes the subject of a certificate to `out`. If it is too long, writes the part that fits and
 * returns false. */
static bool whole_subject(const X509 *cert, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool complete = false;
    int n = -1;

    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                  XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        n = BIO_read(bio, out, (int)size - 1);
        complete = BIO_pending(bio) == 0;
    }
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
    return complete;
}

void subject_text(const X509 *cert, char *out, size_t size)
{
    whole_subject(cert, out, size);
}

/* Writes the common name to `out`; the last one if there are several. Returns false if there is
 * none, if it does not fit, or if it contains a NUL, which would end a comparison early. */
static bool common_name(const X509 *cert, char *out, size_t size)
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int i, at = -1, n;
    unsigned char *text;
    bool fits;

    while ((i = X509_NAME_get_index_by_NID((X509_NAME *)name, NID_commonName, at)) >= 0)
        at = i;
    if (at < 0)
        return false;
    n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (n < 0)
        return false;
    fits = n > 0 && (size_t)n < size && !memchr(text, '\0', (size_t)n);
    if (fits) {
        memcpy(out, text, (size_t)n);
        out[n] = '\0';
    }
    OPENSSL_free(text);
    return fits;
}

/* An item of `allowed` with a "=" is compared only with the whole subject, because a common name
 * may look like a whole subject. */
bool subject_is_one_of(const X509 *cert, const char *const *allowed)
{
    char whole[SUBJECT_MAX], name[SUBJECT_MAX];
    bool has_whole = whole_subject(cert, whole, sizeof(whole));
    bool has_name = common_name(cert, name, sizeof(name));

    for (; *allowed; allowed++) {
        if (strchr(*allowed, '=') ? has_whole && strcmp(*allowed, whole) == 0
                                  : has_name && strcmp(*allowed, name) == 0)
            return true;
    }
    return false;
}
