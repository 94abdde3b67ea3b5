/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe: what is it that listens there, if it is no RPyC server? Asked by a connection of its own.
 */
#ifndef CLIENT_CONNECT_PROBE_H
#define CLIENT_CONNECT_PROBE_H

#include "connect/address.h"

enum spoken {
    SPOKEN_NOTHING, /* it waits for more than it was told */
    SPOKEN_GOODBYE, /* it hung up without a word, or is not there any more */
    SPOKEN_TLS,
    SPOKEN_HTTP,
    SPOKEN_SSH,
    SPOKEN_ELSE
};

/* Listens, then says hello as a TLS client does, and hangs up. Takes 1.7 s at most, beside what it
 * takes to look the host's name up. */
enum spoken probe(const struct address *address);

#endif
