/* SPDX-License-Identifier: BSD-3-Clause
 *
 * diag: the sockets of our network namespace, as sock_diag(7) tells.
 */
#ifndef CLIENT_CONNECT_DIAG_H
#define CLIENT_CONNECT_DIAG_H

#include <stddef.h>

#include "connect/socket_list.h"

/* Adds the sockets of AF_INET, AF_INET6 or AF_UNIX that are listened on. -1: the kernel has not
 * told, or not all. */
int diag_read(struct sockets *to, int family);

/* Finds the TCP socket that is connected from *local to *remote; with a family of 0 there, the one
 * that accepts connections to *local. */
enum diag_found { DIAG_FOUND, DIAG_NOT_FOUND, DIAG_NOT_TOLD };

enum diag_found diag_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                           const struct sockaddr_storage *remote);

enum diag_state { DIAG_MORE, DIAG_DONE, DIAG_FAILED };

/* Adds what is in a datagram of the kernel's; len bytes, aligned as for any type. */
enum diag_state diag_parse(struct sockets *to, const void *datagram, size_t len);

#endif
