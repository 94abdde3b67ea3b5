/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sockets: reads the sockets of a network namespace from the kernel, by sock_diag(7), or from /proc
 * if sock_diag(7) fails.
 */
#ifndef CLIENT_CONNECT_SOCKETS_H
#define CLIENT_CONNECT_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "connect/socket_list.h"

/* Reads the listening sockets of the client's own network namespace. Free *out with sockets_free().
 */
void sockets_read_own(struct sockets *out);

/* Reads the listening sockets from the tables in a folder such as "/proc/1/net". Leaves out the
 * tables and lines that cannot be read. Free *out with sockets_free(). */
void sockets_read(struct sockets *out, const char *folder);

/* Finds the TCP socket that is connected from *local to *remote, in the client's own network
 * namespace. If remote->ss_family is 0, finds the socket that listens on *local. Returns false if
 * there is no such socket. */
bool sockets_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                   const struct sockaddr_storage *remote);

#endif
