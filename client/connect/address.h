/* SPDX-License-Identifier: BSD-3-Clause
 *
 * address: where a server is, and how to get there: also into a container.
 */
#ifndef CLIENT_CONNECT_ADDRESS_H
#define CLIENT_CONNECT_ADDRESS_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct trust;

/* Either of two, and maybe of another process's view of the machine. */
struct address {
    const char *host, *port;   /* a name or an address, and decimal digits */
    const char *path;          /* of a Unix socket, or "@name"; NULL: host and port */
    pid_t pid, tid;            /* a thread whose server and whose paths they are; 0: not known */
    uid_t user;                /* ... as whom its process acts, */
    unsigned long inode;       /* ... the socket that it listens on, */
    bool other_network;        /* ... and whose network namespace is not ours */
    const struct trust *trust; /* whose servers are accepted, see peer.h; NULL: as usual */
};

/* What a found socket's address is, for who wants to connect to it: 0.0.0.0 and :: are reached by
 * loopback. Keeps the strings in text, and points to them. */
struct address_text {
    char host[46], port[6], path[sizeof(struct sockaddr_storage)];
};
void address_of_socket(struct address *out, struct address_text *text,
                       const struct sockaddr_storage *address);

/* "127.0.0.1 port 6666", or a path: for messages. */
void address_describe(char *out, size_t size, const struct address *place);

/* The same as it is typed: "127.0.0.1:6666", "[::1]:6666", "unix:/path". */
void address_as_target(char *out, size_t size, const struct address *place);

/* Connects, and checks whose server it is. Errors: those of rpyc_connect_tcp and peer_check;
 * RPYC_EINVAL, with a whole sentence, where we can not get into the other process's namespaces. */
int address_connect(rpyc_conn **out, const struct address *place, const struct rpyc_options *how,
                    struct rpyc_error *err);

/* Just a socket, non-blocking, that is connected within some ms and checked; -1 if not. */
int address_open(const struct address *place, int timeout_ms);

#endif
