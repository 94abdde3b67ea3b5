/* SPDX-License-Identifier: BSD-3-Clause
 *
 * peer: checks which user the server of a new connection belongs to.
 */
#ifndef CLIENT_CONNECT_PEER_H
#define CLIENT_CONNECT_PEER_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/types.h>

#include "connect/address.h"

/* Checks the server that the socket fd is connected to, before anything is sent. data is the struct
 * address that was connected to; its trust says which users' servers are accepted. If it has a pid,
 * the connection must lead to that process. Prints a line on stderr if the server belongs to
 * another user who is not root. Waits up to 200 ms for the server to accept the connection. Returns
 * 0, or -1 with RPYC_EINVAL and a sentence. For the member check of struct rpyc_options. */
int peer_check(int fd, void *data, struct rpyc_error *err);

/* True if the socket at the other end of the connection fd certainly belongs to the process, on
 * this machine and in this PID namespace. */
bool peer_is_process(int fd, pid_t pid);

#endif
