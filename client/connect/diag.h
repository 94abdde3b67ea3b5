/* SPDX-License-Identifier: BSD-3-Clause
 *
 * diag: reads the sockets of the client's own network namespace by sock_diag(7).
 */
#ifndef CLIENT_CONNECT_DIAG_H
#define CLIENT_CONNECT_DIAG_H

#include <stddef.h>

#include "connect/socket_list.h"

/* Appends the listening sockets of a family (AF_INET, AF_INET6 or AF_UNIX) to the list. Returns 0,
 * or -1 if the kernel did not report all of them; the list may then have some of them. */
int diag_read(struct sockets *to, int family);

enum diag_found { DIAG_FOUND, DIAG_NOT_FOUND, DIAG_UNKNOWN };

/* Finds the TCP socket that is connected from *local to *remote. If remote->ss_family is 0, finds
 * the socket that listens on *local. Fills *out if it returns DIAG_FOUND. DIAG_UNKNOWN: the kernel
 * gave no usable answer. */
enum diag_found diag_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                           const struct sockaddr_storage *remote);

enum diag_state { DIAG_MORE, DIAG_DONE, DIAG_FAILED };

/* Appends the sockets in a datagram of len bytes from the kernel to the list. datagram must be
 * aligned for any type. DIAG_MORE: more datagrams follow. DIAG_FAILED: the datagram is not valid,
 * or reports an error. */
enum diag_state diag_parse(struct sockets *to, const void *datagram, size_t len);

#endif
