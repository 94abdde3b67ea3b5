/* SPDX-License-Identifier: BSD-3-Clause
 *
 * tls_files: checks the files that the options of TLS name, and explains errors of TLS.
 *
 * TLS itself is in librpyc-ssl.so, which librpyc loads when it is needed.
 */
#ifndef CLIENT_CONNECT_TLS_FILES_H
#define CLIENT_CONNECT_TLS_FILES_H

#include <rpyc.h>

#include "options.h"

/* Returns the TLS settings for a connection. The server's certificate must be for the name in
 * --ssl-name. Without this option, the certificate must be for the host of the address, or for
 * "localhost" if the options name a process or a Unix socket. */
struct rpyc_tls tls_files_settings(const struct options *options);

/* Checks the files of TLS. Call this function before connecting. Returns 0, or -1 with RPYC_EINVAL
 * and a sentence. */
int tls_files_check(const struct rpyc_tls *tls, struct rpyc_error *err);

/* Prints a warning on stderr if --ssl-no-verify is given. */
void tls_files_warn(const struct options *options);

enum tls_files_trouble {
    TLS_FILES_UNCLEAR, /* perhaps the server does not use TLS: *err is not changed */
    TLS_FILES_REFUSED, /* the client or the server does not accept the other's certificate */
    TLS_FILES_USAGE,   /* the user's files cannot be used */
};

/* err must be an error with the code RPYC_ETLS. Replaces err->text by a sentence that tells the
 * user what is wrong. If the result is TLS_FILES_UNCLEAR, *err is unchanged. where: the server, as
 * address_describe() formats it. */
enum tls_files_trouble tls_files_explain(const struct options *options, const char *where,
                                         struct rpyc_error *err);

#endif
