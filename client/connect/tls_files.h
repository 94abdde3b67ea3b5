/* SPDX-License-Identifier: BSD-3-Clause
 *
 * tls_files: what the options of TLS mean, what is said of them, and of what goes wrong with them.
 *
 * TLS itself is librpyc's, in a library of its own that is loaded for it.
 */
#ifndef CLIENT_CONNECT_TLS_FILES_H
#define CLIENT_CONNECT_TLS_FILES_H

#include <rpyc.h>

#include "options.h"

/* The settings for a connect: the name that is checked is filled in where it is not the host's. */
struct rpyc_tls tls_files_settings(const struct options *options);

/* Looks into the files, so that what is wrong with them is known before anything is connected.
 * Errors: RPYC_EINVAL, with a whole sentence. */
int tls_files_check(const struct rpyc_tls *tls, struct rpyc_error *err);

/* Says on stderr what it means that the server is not verified, if so. */
void tls_files_warn(const struct options *options);

enum tls_files_trouble {
    TLS_FILES_UNCLEAR,  /* it may be no TLS server at all: nothing has been written */
    TLS_FILES_REFUSED,  /* this side or the other does not take what it is shown */
    TLS_FILES_MISTAKEN, /* what was given cannot be used */
};

/* Makes a sentence of an RPYC_ETLS of a connection to where, as address_describe has it. */
enum tls_files_trouble tls_files_explain(const struct options *options, const char *where,
                                         struct rpyc_error *err);

#endif
