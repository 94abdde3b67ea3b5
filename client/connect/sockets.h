/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sockets: reads the sockets of a network namespace from the kernel: by sock_diag(7), else from
 * /proc.
 */
#ifndef CLIENT_CONNECT_SOCKETS_H
#define CLIENT_CONNECT_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "connect/socket_list.h"

/* Reads the listening sockets of the client's own network namespace. */
void sockets_read_own(struct sockets *out);

/* Reads the tables in a folder such as "/proc/1/net". Leaves out what cannot be read. */
void sockets_read(struct sockets *out, const char *folder);

/* Finds, in the client's own network namespace, the TCP socket that is connected from *local to
 * *remote. With remote->ss_family 0: the one that listens on *local. False: there is none. */
bool sockets_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                   const struct sockaddr_storage *remote);

#endif
