/* SPDX-License-Identifier: BSD-3-Clause
 *
 * socket_list: a list of listening sockets, and comparisons of socket addresses.
 */
#ifndef CLIENT_CONNECT_SOCKET_LIST_H
#define CLIENT_CONNECT_SOCKET_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Stands for the user of a socket if the kernel does not show which user it is. */
#define SOCKETS_NO_USER ((uid_t)-1)

/* A listening socket. */
struct listening {
    unsigned long inode;
    struct sockaddr_storage address; /* TCP over IPv4 or IPv6; Unix: a path or an abstract name */
    uid_t user; /* the user who created it; SOCKETS_NO_USER: a Unix socket before Linux 5.3 */
};

struct sockets {
    struct listening *all;
    size_t count;
};

/* The owner of a socket. */
struct socket_owner {
    uid_t user;          /* the user who created or accepted the socket */
    unsigned long inode; /* 0: no process has the socket open, because the socket is closed or its
                          * connection not accepted yet. `user` is not valid in this case */
};

/* Appends a copy of *one. If there is no memory, does not change the list. */
void sockets_add(struct sockets *to, const struct listening *one);
void sockets_free(struct sockets *sockets);

/* Returns the socket with this inode, or NULL if the list has none or several. If several sockets
 * have this inode, none of them is trusted, because /proc/net/unix shows the names of sockets, and
 * a name with newlines can look like more lines. */
const struct listening *sockets_find(const struct sockets *sockets, unsigned long inode);

/* True if a connection from this machine to `address` reaches the socket that listens at `listens`.
 * This is so if the two addresses are equal, or if the socket listens on all addresses and
 * `address` is a loopback address. The ports must be equal too. */
bool sockets_is_at(const struct sockaddr_storage *listens, const struct sockaddr *address);

/* True for 0.0.0.0 and ::. Must not be called for AF_UNIX. */
bool sockets_is_everywhere(const struct sockaddr_storage *address);

/* True for a loopback address. Must not be called for AF_UNIX. */
bool sockets_is_loopback(const struct sockaddr *address);

/* True if two addresses are equal apart from their ports. An IPv4 address equals its IPv4-mapped
 * IPv6 form (::ffff:127.0.0.1). Must not be called for AF_UNIX. */
bool sockets_is_same_host(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* True if sockets_is_same_host() is true and the ports are equal. */
bool sockets_is_same(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* Formats an address for the user: "127.0.0.1:6666", "[::1]:6666", or a path. */
void sockets_describe(char *out, size_t size, const struct sockaddr_storage *address);

#endif
