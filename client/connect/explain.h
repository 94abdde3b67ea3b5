/* SPDX-License-Identifier: BSD-3-Clause
 *
 * explain: explains to the user why a connection failed, and what to do.
 */
#ifndef CLIENT_CONNECT_EXPLAIN_H
#define CLIENT_CONNECT_EXPLAIN_H

#include <rpyc.h>

#include "options.h"

enum explanation {
    EXPLAIN_NO_SERVER, /* the user gave no address, and nothing listens on the default address */
    EXPLAIN_REFUSED,   /* a server answers, or refuses the connection, but cannot be used */
    EXPLAIN_USAGE, /* the address or another option is wrong, or cannot be used on this machine */
    EXPLAIN_OTHER  /* anything else: err->text is not changed */
};

/* Finds out why connect_server() failed with *err, and makes err->text a sentence for the user. If
 * the result is EXPLAIN_OTHER, err->text is unchanged. Reads tables of the kernel, and may connect
 * to the server once more, see probe.h. */
enum explanation explain_failure(const struct options *options, struct rpyc_error *err);

#endif
