/* SPDX-License-Identifier: BSD-3-Clause
 *
 * peer: whose server a connection leads to, asked before anything is sent.
 */
#ifndef CLIENT_CONNECT_PEER_H
#define CLIENT_CONNECT_PEER_H

#include <rpyc.h>

#include "connect/address.h"

/* Whether the user accepts the server that a socket of this process is connected to: *data, a
 * struct address, says which one it is to be. For rpyc_options. The process of a address with a pid
 * has to have accepted the connection, or be about to. Says on stderr whose server it is, if it is
 * neither the user's own nor root's. Waits up to 200 ms for the server to accept. Errors:
 * RPYC_EINVAL, with a whole sentence. */
int peer_check(int fd, void *data, struct rpyc_error *err);

#endif
