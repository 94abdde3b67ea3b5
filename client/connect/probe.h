/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe: finds out what kind of server listens on an address, for servers that do not answer like
 * an RPyC server.
 */
#ifndef CLIENT_CONNECT_PROBE_H
#define CLIENT_CONNECT_PROBE_H

#include "connect/address.h"

/* The protocol that a server speaks, as its first bytes show. */
enum spoken {
    SPOKEN_NOTHING, /* the server sends nothing */
    SPOKEN_CLOSED,  /* the server closed the connection without sending anything, or cannot be
                     * reached */
    SPOKEN_TLS,
    SPOKEN_HTTP,
    SPOKEN_SSH,
    SPOKEN_OTHER
};

/* Connects and waits for the server to send something. If the server sends nothing, sends the first
 * message of a TLS client and waits for the answer. Takes at most 1.7 s, plus the time to resolve
 * the host's name. */
enum spoken probe(const struct address *address);

#endif
