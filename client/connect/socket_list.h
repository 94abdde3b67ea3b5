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

/* In place of a user: the kernel does not tell. */
#define SOCKETS_NO_USER ((uid_t)-1)

/* A listening socket. */
struct listening {
    unsigned long inode;
    struct sockaddr_storage address; /* TCP over IPv4 or IPv6; Unix: a path or an abstract name */
    uid_t user; /* the user who created the socket; SOCKETS_NO_USER for Unix sockets before 5.3 */
};

struct sockets {
    struct listening *all;
    size_t count;
};

/* The owner of a socket. */
struct socket_owner {
    uid_t user;          /* the user who created or accepted the socket */
    unsigned long inode; /* 0: no process has the socket open: it is closed, or not accepted yet.
                          * Then user means nothing */
};

/* Appends a copy of one. Without memory, the list stays as it was. */
void sockets_add(struct sockets *to, const struct listening *one);
void sockets_free(struct sockets *sockets);

/* Returns the socket with this inode, or NULL if the list has none or several. A line of
 * /proc/net/unix contains the socket's name, and a name with newlines can imitate whole lines. */
const struct listening *sockets_find(const struct sockets *sockets, unsigned long inode);

/* True if a connection to this address of this machine reaches the socket: the socket listens on
 * this address or on all. */
bool sockets_is_at(const struct sockaddr_storage *listens, const struct sockaddr *address);

/* True for 0.0.0.0 and ::. Not for AF_UNIX. */
bool sockets_is_everywhere(const struct sockaddr_storage *address);

/* True for the address of a loopback interface. Not for AF_UNIX. */
bool sockets_is_loopback(const struct sockaddr *address);

/* True if two addresses are equal; ports are ignored, and an IPv4 address equals its form that is
 * mapped to IPv6. Not for AF_UNIX. */
bool sockets_is_same_host(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* As sockets_is_same_host, and the ports are equal too. */
bool sockets_is_same(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* Formats an address for the user: "127.0.0.1:6666", "[::1]:6666", or a path. */
void sockets_describe(char *out, size_t size, const struct sockaddr_storage *address);

#endif
