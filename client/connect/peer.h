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

/* Checks the server that the socket fd is connected to, before anything is sent. data points to the
 * struct address that the socket was connected to. These members of it are used:
 *   - trust: which users' servers are accepted; see struct trust, also for the warning on stderr
 *   - pid: if this is not 0, the connection must lead to this process. The server may then belong
 *     to any user, unless --server-user names one
 * Waits up to 200 ms for the server to accept the connection. Returns 0, or -1 with RPYC_EINVAL and
 * a sentence, or with RPYC_ECLOSED if the server has closed the connection. Can be stored in the
 * member `check` of struct rpyc_options. */
int peer_check(int fd, void *data, struct rpyc_error *err);

/* True if *err is the error with which peer_check() refuses a server because the server belongs to
 * another or an unknown user, and the client runs as root without --server-user. */
bool peer_is_refused(const struct rpyc_error *err);

/* True if it is certain that the socket at the other end of the connection fd belongs to the
 * process pid of this machine and this PID namespace. */
bool peer_is_process(int fd, pid_t pid);

#endif
