/* SPDX-License-Identifier: BSD-3-Clause
 *
 * diag: reads the sockets of the client's own network namespace by sock_diag(7).
 */
#ifndef CLIENT_CONNECT_DIAG_H
#define CLIENT_CONNECT_DIAG_H

#include <stddef.h>

#include "connect/socket_list.h"
#include "procfs/sock_diag.h"

/* Appends the listening sockets of a family (AF_INET, AF_INET6 or AF_UNIX) to the list. Returns 0,
 * or -1 if the kernel did not report all of these sockets; in this case, the list may contain some
 * of them. */
int diag_read(struct sockets *to, int family);

/* Finds the TCP socket that is connected from *local to *remote. If remote->ss_family is 0, finds
 * the socket that listens on *local. If it finds the socket, fills *out and returns
 * SOCK_DIAG_FOUND. Returns SOCK_DIAG_UNKNOWN if the kernel gave no usable answer. */
enum sock_diag_found diag_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                                const struct sockaddr_storage *remote);

/* Appends the sockets in a datagram of len bytes from the kernel to the list. Returns what
 * sock_diag_parse() returns. */
enum sock_diag_state diag_parse(struct sockets *to, const void *datagram, size_t len);

#endif
