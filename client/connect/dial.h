/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dial: connects to an address, in another process's namespaces if necessary, and checks which
 * user the server belongs to.
 */
#ifndef CLIENT_CONNECT_DIAL_H
#define CLIENT_CONNECT_DIAL_H

#include <rpyc.h>

#include "connect/address.h"

/* Connects to an RPyC server. Calls peer_check() before it sends anything. Returns 0, or -1 with
 * the errors of rpyc_connect_tcp() and peer_check(), or with RPYC_EINVAL and a sentence if the
 * server's process is in other namespaces and these cannot be entered. */
int dial_server(rpyc_conn **out, const struct address *address, const struct rpyc_options *how,
                struct rpyc_error *err);

/* Opens a non-blocking socket and connects it to the address. Returns its descriptor. Returns -1 if
 * connecting fails or takes longer than timeout_ms, or if peer_check() refuses the server. */
int dial_socket(const struct address *address, int timeout_ms);

#endif
