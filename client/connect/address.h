/* SPDX-License-Identifier: BSD-3-Clause
 *
 * address: where a server listens, and how messages show it.
 */
#ifndef CLIENT_CONNECT_ADDRESS_H
#define CLIENT_CONNECT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "options.h"

/* A host and a port, or the path of a Unix socket, in the namespaces of the process pid if pid is
 * not 0. */
struct address {
    const char *host, *port; /* a name or an IP address; decimal digits */
    const char *path;        /* of a Unix socket, or "@name" for an abstract one; NULL: TCP */
    pid_t pid, tid;          /* the process of the server and the thread that listens; 0: not known.
                              * The next three are valid if pid is set: */
    uid_t user;              /* the effective user of the process */
    unsigned long inode;     /* the socket that listens */
    bool other_network;      /* the process is in another network namespace */
    const struct trust *trust; /* the accepted users, from --server-user; NULL: default */
};

/* The strings of an address. */
struct address_text {
    char host[46], port[6], path[sizeof(struct sockaddr_storage)];
};

/* Makes the address by which a client reaches a listening socket: loopback for 0.0.0.0 and ::.
 * Keeps the strings in *text; *out points to them. */
void address_of_socket(struct address *out, struct address_text *text,
                       const struct sockaddr_storage *socket);

/* Formats an address for messages: "127.0.0.1:6666", "[::1]:6666", or a path. */
void address_describe(char *out, size_t size, const struct address *address);

#endif
