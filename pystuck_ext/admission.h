/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Decides whether a client may connect. Asks the kernel which user is at the client's end of the
 * connection. Does not use Python.
 */
#ifndef PS_ADMISSION_H
#define PS_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* True for addresses that only this machine can reach: loopback addresses and Unix sockets. */
bool ps_is_local_address(const struct sockaddr *address);

/* The users that are allowed besides root and the program's own user. A struct of zeros allows no
 * such users. The overflow uid and gid, which stand for every user and group without an id in this
 * user namespace, are never allowed. */
struct ps_allowed {
    const uid_t *users;
    size_t count;
    bool has_group;
    gid_t group; /* its members are allowed over a Unix socket */
};

/* The peer's user, if the kernel has reported it. */
struct ps_peer {
    bool is_known;
    uid_t uid;
};

/* Decides whether the peer of a connected socket is admitted. The first line that applies decides:
 *
 *     the peer's uid is the overflow uid                                      no
 *     the peer's uid is 0, or one of allowed->users                            yes
 *     Unix socket: the peer is in allowed->group                               yes
 *     a uid of the program (real, effective, saved) is not the peer's uid     no
 *     the program's gids differ: real, effective, saved                       no
 *     Unix socket: the peer's gid is not the program's gid                    no
 *     Unix socket: the program has a capability that the peer lacks           no
 *     TCP: the program has a capability                                       no
 *     else                                                                    yes
 *
 * The program's ids and capabilities are those of all its threads together. Reads nothing from the
 * socket and asks only the kernel. For a Unix socket, the kernel reports the peer by SO_PEERCRED
 * and SO_PEERPIDFD; for loopback TCP, it reports the owner of the peer's socket. If the kernel does
 * not report the peer's user, the answer is no. Uses up to PS_ADMIT_DESCRIPTORS descriptors while
 * it runs. Always fills *who. If the answer is no, fills why with the reason, one line. */
bool ps_admit(int fd, const struct ps_allowed *allowed, struct ps_peer *who, char *why,
              size_t why_size);

#define PS_ADMIT_DESCRIPTORS 2
#define PS_ADMIT_WHY_SIZE    192

#endif
