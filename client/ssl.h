/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ssl: what the options of TLS mean, what is said of them, and of what goes wrong with them.
 *
 * TLS itself is librpyc's, in a library of its own that is loaded for it.
 */
#ifndef CLIENT_SSL_H
#define CLIENT_SSL_H

#include <rpyc.h>

#include "options.h"

/* The settings for a connect: the name that is checked is filled in where it is not the host's. */
struct rpyc_tls ssl_settings(const struct options *options);

/* Looks into the files, so that what is wrong with them is known before anything is connected.
 * Errors: RPYC_EINVAL, with a whole sentence. */
int ssl_check_files(const struct rpyc_tls *tls, struct rpyc_error *err);

/* Says on stderr what it means that the server is not verified, if so. */
void ssl_warn(const struct options *options);

enum ssl_trouble {
    SSL_UNCLEAR,  /* it may be no TLS server at all: nothing has been written */
    SSL_REFUSED,  /* this side or the other does not take what it is shown */
    SSL_MISTAKEN, /* what was given cannot be used */
};

/* Makes a sentence of an RPYC_ETLS of a connection to where, as place_describe has it. */
enum ssl_trouble ssl_explain(const struct options *options, const char *where,
                             struct rpyc_error *err);

#endif
