/* SPDX-License-Identifier: BSD-3-Clause
 *
 * explain: why there is no connection, in words that tell the user what to do about it.
 */
#ifndef CLIENT_CONNECT_EXPLAIN_H
#define CLIENT_CONNECT_EXPLAIN_H

#include <rpyc.h>

#include "options.h"

enum explanation {
    EXPLAIN_NOBODY,   /* nothing listens at that address */
    EXPLAIN_SOMEBODY, /* there is one that does not talk to us */
    EXPLAIN_MISTAKEN, /* the address or another option is wrong, or cannot be used here */
    EXPLAIN_OTHER     /* anything else */
};

/* Looks into why connect_server has failed, with that error, and writes a sentence to err->text,
 * except where it is EXPLAIN_OTHER. Asks the kernel, and maybe whoever listens there: see
 * probe.h. */
enum explanation explain_failure(const struct options *options, struct rpyc_error *err);

#endif
