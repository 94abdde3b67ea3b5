/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sock_diag: asks the kernel about the sockets of this network namespace, by sock_diag(7). Uses no
 * heap memory, and one descriptor.
 */
#ifndef PROCFS_SOCK_DIAG_H
#define PROCFS_SOCK_DIAG_H

#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Called for each socket that the kernel reports. body: the message about the socket, of len bytes,
 * at least 1. The body is aligned to 4 bytes only, so its parts must be copied before use. The
 * first byte of the body is the family. */
typedef void (*sock_diag_fn)(void *arg, const char *body, size_t len);

/* Asks the kernel for all sockets, and calls `each` for each socket. request: a struct nlmsghdr and
 * the body that follows it, together len bytes; this function fills in the header. Waits timeout_ms
 * for each datagram of the kernel, and stops at the deadline, in ms of CLOCK_MONOTONIC. Returns
 * false if the kernel did not report all sockets. */
bool sock_diag_dump(void *request, size_t len, int timeout_ms, int64_t deadline, sock_diag_fn each,
                    void *arg);

enum sock_diag_state { SOCK_DIAG_MORE, SOCK_DIAG_DONE, SOCK_DIAG_FAILED };

/* Calls `each` for each socket in a datagram of the kernel. Returns SOCK_DIAG_MORE if more
 * datagrams follow, SOCK_DIAG_DONE if this is the last datagram, and SOCK_DIAG_FAILED if the
 * datagram is not valid or reports an error. */
enum sock_diag_state sock_diag_parse(const void *datagram, size_t len, sock_diag_fn each,
                                     void *arg);

enum sock_diag_found { SOCK_DIAG_FOUND, SOCK_DIAG_NOT_FOUND, SOCK_DIAG_UNKNOWN };

/* Finds the TCP socket with the addresses and ports in *id, and fills in the cookie in *id. If it
 * finds the socket, fills *out and returns SOCK_DIAG_FOUND. Returns SOCK_DIAG_UNKNOWN if the kernel
 * gave no usable answer within timeout_ms. */
enum sock_diag_found sock_diag_find(int family, struct inet_diag_sockid *id, int timeout_ms,
                                    struct inet_diag_msg *out);

/* Fills a socket address from the parts of a struct inet_diag_sockid. */
void sock_diag_address(struct sockaddr_storage *out, int family, const uint32_t *address,
                       in_port_t port);

#endif
