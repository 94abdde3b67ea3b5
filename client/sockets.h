/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sockets: which ones are listened on, as the kernel's tables of a network namespace tell.
 */
#ifndef CLIENT_SOCKETS_H
#define CLIENT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A socket that somebody listens on. */
struct listening {
    unsigned long inode;
    struct sockaddr_storage address; /* TCP over IPv4 or IPv6; Unix, a path or an abstract name */
    uid_t user; /* whose program made it; of a Unix socket the tables do not tell: SOCKETS_NOBODY */
};

#define SOCKETS_NOBODY ((uid_t)-1)

struct sockets {
    struct listening *all;
    size_t count;
};

/* Reads the tables in a folder such as "/proc/self/net". What cannot be read is left out. */
void sockets_read(struct sockets *out, const char *folder);
void sockets_free(struct sockets *sockets);

/* The socket of that inode, or NULL. Whoever binds a Unix socket writes its name into the table,
 * and with a newline in it may make up whole lines: where two have the inode, it is NULL as well.
 */
const struct listening *sockets_find(const struct sockets *sockets, unsigned long inode);

/* Whether a connection to that address of this machine comes to the socket: it listens there, or
 * everywhere. */
bool sockets_is_at(const struct sockaddr_storage *listens, const struct sockaddr *address);

/* Where a socket listens, as the user is told. */
void sockets_describe(char *out, size_t size, const struct sockaddr_storage *address);

#endif
