/* SPDX-License-Identifier: BSD-3-Clause
 *
 * peers: the addresses of the sockets of this network namespace, by inode, from sock_diag(7). Uses
 * no heap memory, and one descriptor.
 */
#ifndef PROCFS_PEERS_H
#define PROCFS_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* One socket. Unix sockets have no addresses here. */
struct peer_socket {
    uint32_t inode; /* 0: no process has it open */
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    bool listens;
    uint32_t waiting; /* listens: connections that wait for accept() */
    uint32_t backlog; /* listens: how many may wait */
    struct sockaddr_storage local, remote;
};

#define PEER_TEXT_SIZE 64

/* Calls `each` for each TCP socket or Unix socket of a family. Stops at the deadline, in ms of
 * CLOCK_MONOTONIC. False if the kernel did not report all of them. */
bool peers_read(int family, int64_t deadline,
                void (*each)(void *arg, const struct peer_socket *socket), void *arg);

/* Formats an address: "10.0.0.5:5432", "[2001:db8::1]:443". Needs PEER_TEXT_SIZE bytes. An IPv4
 * address within IPv6 is shown as IPv4. */
void peers_format(char *out, const struct sockaddr_storage *address);

#endif
