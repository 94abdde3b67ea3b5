/* SPDX-License-Identifier: BSD-3-Clause
 *
 * address: the address at which a server listens, and its form in messages.
 */
#ifndef CLIENT_CONNECT_ADDRESS_H
#define CLIENT_CONNECT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "options.h"

/* A host and a port, or the path of a Unix socket. If pid is not 0, the address is valid in the
 * namespaces of the process pid. */
struct address {
    const char *host, *port; /* host: a name or an IP address; port: decimal digits */
    const char *path;        /* a Unix socket; "@name": an abstract one; NULL: TCP */
    pid_t pid, tid; /* the server's process, and its thread that listens; 0: not known. The three
                     * members below are valid if pid is not 0 */
    uid_t user;     /* the effective user of the process */
    unsigned long inode;       /* the inode of the listening socket */
    bool other_network;        /* the process is in another network namespace */
    const struct trust *trust; /* which users' servers to accept; NULL: the default */
};

/* The strings that a struct address points to. */
struct address_text {
    char host[46], port[6], path[sizeof(struct sockaddr_storage)];
};

/* Makes the address with which a client reaches a listening socket. For a socket that listens on
 * 0.0.0.0 or ::, this is the loopback address. *out points to strings that are stored in *text. */
void address_of_socket(struct address *out, struct address_text *text,
                       const struct sockaddr_storage *socket);

/* Formats an address for messages: "127.0.0.1:6666", "[::1]:6666", or a path. */
void address_describe(char *out, size_t size, const struct address *address);

#endif
