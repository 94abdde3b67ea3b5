/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe: finds out what kind of server listens on an address, if not an RPyC server.
 */
#ifndef CLIENT_CONNECT_PROBE_H
#define CLIENT_CONNECT_PROBE_H

#include "connect/address.h"

/* The protocol that a server speaks, by the first bytes that it sends. */
enum spoken {
    SPOKEN_NOTHING, /* the server sends nothing */
    SPOKEN_CLOSED,  /* the server closed the connection without an answer, or has ended */
    SPOKEN_TLS,
    SPOKEN_HTTP,
    SPOKEN_SSH,
    SPOKEN_OTHER
};

/* Connects, waits for the server to send something, then sends the first message of a TLS client,
 * and waits for the answer. Takes at most 1.7 s, plus the time to resolve the host's name. */
enum spoken probe(const struct address *address);

#endif
