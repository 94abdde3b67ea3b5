/* SPDX-License-Identifier: BSD-3-Clause
 *
 * tls_files: the options of TLS: checks their files, and explains errors of TLS.
 *
 * TLS itself is in librpyc, which loads librpyc-ssl.so for it.
 */
#ifndef CLIENT_CONNECT_TLS_FILES_H
#define CLIENT_CONNECT_TLS_FILES_H

#include <rpyc.h>

#include "options.h"

/* The settings for a connection. Without --ssl-name, the certificate must be for the host of the
 * address; for "localhost" with --pid and on Unix sockets. */
struct rpyc_tls tls_files_settings(const struct options *options);

/* Checks the files before a connection is made. Returns 0, or -1 with RPYC_EINVAL and a sentence.
 */
int tls_files_check(const struct rpyc_tls *tls, struct rpyc_error *err);

/* Prints a warning on stderr if the server's certificate is not verified. */
void tls_files_warn(const struct options *options);

enum tls_files_trouble {
    TLS_FILES_UNCLEAR, /* perhaps the server does not use TLS: *err is not changed */
    TLS_FILES_REFUSED, /* the client or the server does not accept the other's certificate */
    TLS_FILES_USAGE,   /* the user's files cannot be used */
};

/* Writes a sentence to err->text, whose code is RPYC_ETLS. where: the server, as address_describe()
 * formats it. */
enum tls_files_trouble tls_files_explain(const struct options *options, const char *where,
                                         struct rpyc_error *err);

#endif
