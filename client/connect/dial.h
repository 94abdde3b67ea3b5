/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dial: connects to an address, in another process's namespaces if necessary, and checks which
 * user the server belongs to.
 */
#ifndef CLIENT_CONNECT_DIAL_H
#define CLIENT_CONNECT_DIAL_H

#include <rpyc.h>

#include "connect/address.h"

/* Connects to an RPyC server. Errors: those of rpyc_connect_tcp() and peer_check(); RPYC_EINVAL
 * with a sentence if the namespaces of the other process cannot be entered. */
int dial_server(rpyc_conn **out, const struct address *address, const struct rpyc_options *how,
                struct rpyc_error *err);

/* Opens a socket that is connected to the address and checked, and non-blocking. Returns its
 * descriptor, or -1 if this fails or is not done within timeout_ms. */
int dial_socket(const struct address *address, int timeout_ms);

#endif
