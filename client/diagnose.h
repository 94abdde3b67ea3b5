/* SPDX-License-Identifier: BSD-3-Clause
 *
 * diagnose: why there is no connection, in words that tell the user what to do about it.
 */
#ifndef CLIENT_DIAGNOSE_H
#define CLIENT_DIAGNOSE_H

#include <rpyc.h>

#include "options.h"

enum diagnosis {
    DIAGNOSIS_NOBODY,   /* nothing listens at that address */
    DIAGNOSIS_SOMEBODY, /* there is one that does not talk to us */
    DIAGNOSIS_MISTAKEN, /* the address or another option is wrong, or cannot be used here */
    DIAGNOSIS_OTHER     /* anything else */
};

/* Looks into why connect_server has failed, with that error, and writes a sentence to err->text,
 * except where it is DIAGNOSIS_OTHER. Asks the kernel, and maybe whoever listens there: see
 * probe.h. */
enum diagnosis diagnose(const struct options *options, struct rpyc_error *err);

#endif
