/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sockets: which ones are listened on, as the kernel's tables of a network namespace tell.
 */
#ifndef CLIENT_CONNECT_SOCKETS_H
#define CLIENT_CONNECT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A socket that is listened on. */
struct listening {
    unsigned long inode;
    struct sockaddr_storage address; /* TCP over IPv4 or IPv6; Unix, a path or an abstract name */
    uid_t user; /* who made it; SOCKETS_NOBODY: the tables do not tell (Unix sockets before 5.3) */
};

#define SOCKETS_NOBODY ((uid_t)-1)

struct sockets {
    struct listening *all;
    size_t count;
};

/* Reads those of our network namespace: by sock_diag(7), else from /proc. */
void sockets_read_ours(struct sockets *out);

/* Reads the tables in a folder such as "/proc/1/net". What cannot be read is left out. */
void sockets_read(struct sockets *out, const char *folder);

/* Copies one in. Without memory it is left out. */
void sockets_add(struct sockets *to, const struct listening *one);
void sockets_free(struct sockets *sockets);

/* The socket of that inode, or NULL. The name of a Unix socket is part of its line in /proc, and
 * with a newline in it may make up whole lines: where two have the inode, it is NULL as well. */
const struct listening *sockets_find(const struct sockets *sockets, unsigned long inode);

/* Who has a socket. */
struct socket_owner {
    uid_t user;          /* as whom it was made, or accepted */
    unsigned long inode; /* 0: it is in no process, and user says nothing: not accepted yet, or
                          * closed */
};

/* Finds the TCP socket of our network namespace that is connected from *local to *remote; with a
 * family of 0 there, the one that accepts connections to *local. */
bool sockets_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                   const struct sockaddr_storage *remote);

/* Whether a connection to that address of this machine comes to the socket: it listens there, or
 * everywhere. */
bool sockets_is_at(const struct sockaddr_storage *listens, const struct sockaddr *address);

/* Whether it is the address of a loopback interface. Not for AF_UNIX. */
bool sockets_is_loopback(const struct sockaddr *address);

/* Whether two addresses are the same, whatever their ports. Not for AF_UNIX. */
bool sockets_is_same_host(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* Where a socket listens, as the user is told. */
void sockets_describe(char *out, size_t size, const struct sockaddr_storage *address);

#endif
