/* SPDX-License-Identifier: BSD-3-Clause
 *
 * peers: the addresses and inodes of the sockets of this network namespace, from sock_diag(7). Uses
 * no heap memory, and one descriptor.
 */
#ifndef PROCFS_PEERS_H
#define PROCFS_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A socket that peers_read() has found. The addresses are not set for a Unix socket. */
struct peer_socket {
    uint32_t inode; /* 0: the socket is not open in any process */
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint8_t state;  /* as in <netinet/tcp.h>: TCP_ESTABLISHED */
    bool listens;
    uint32_t waiting; /* of a listening socket: the number of connections that wait for accept() */
    uint32_t backlog; /* of a listening socket: how many connections may wait */
    struct sockaddr_storage local, remote;
    uint32_t peer;    /* of a connected Unix socket: the inode of the other end; 0: not known */
    const char *path; /* of a Unix socket: its name, not NUL-terminated; NULL: it has none */
    size_t path_len;  /* A path that begins with NUL is an abstract name */
};

#define PEER_TEXT_SIZE 64

/* Calls `each` for each TCP socket (AF_INET, AF_INET6) or each Unix socket (AF_UNIX). Stops at the
 * deadline, in ms of CLOCK_MONOTONIC. Returns false if the kernel did not report all of these
 * sockets. */
bool peers_read(int family, int64_t deadline,
                void (*each)(void *arg, const struct peer_socket *socket), void *arg);

/* Formats an address: "10.0.0.5:5432", "[2001:db8::1]:443". Needs PEER_TEXT_SIZE bytes. An IPv4
 * address that is mapped into IPv6 is formatted as IPv4. */
void peers_format(char *out, const struct sockaddr_storage *address);

#endif
