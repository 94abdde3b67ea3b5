/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may come in: the debuggee's own user and root, and who is named, by what the kernel says of
 * the peer. Knows no Python.
 */
#ifndef PS_ADMISSION_H
#define PS_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Whether an address is one that only this machine can reach: loopback or a Unix socket. */
bool ps_is_local_address(const struct sockaddr *address);

/* Who is let in beside root and the debuggee's own user. Zero: nobody. The overflow uid and gid,
 * which stand for everyone that has no number in this user namespace, are never let in. */
struct ps_allowed {
    const uid_t *users;
    size_t count;
    bool has_group;
    gid_t group; /* over a Unix socket: whoever is in it */
};

/* Who the peer is, as far as the kernel has said so. */
struct ps_peer {
    bool is_known;
    uid_t uid;
};

/* Decides whether the peer of a connected socket is let in. The first line that applies counts:
 *
 *     the peer's uid is the overflow uid                                      no
 *     the peer's uid is 0, or one of allowed->users                            yes
 *     Unix socket: the peer is in allowed->group                               yes
 *     the peer's uid is not each uid of the program: real, effective, saved   no
 *     the program's gids differ: real, effective, saved                       no
 *     Unix socket: the peer's gid is not that gid                             no
 *     Unix socket: the program has a capability that the peer lacks           no
 *     TCP: the program has a capability                                       no
 *     else                                                                    yes
 *
 * The program's ids and capabilities are those of all its threads together. allowed is borrowed.
 * Asks before a byte has been read, and only the kernel: SO_PEERCRED and SO_PEERPIDFD for a Unix
 * socket, the owner of the other end for loopback TCP. What cannot be found out is a no; it takes
 * PS_ADMIT_DESCRIPTORS descriptors for a moment. who is filled in in any case; why gets the reason,
 * one line, when the answer is no. */
bool ps_admit(int fd, const struct ps_allowed *allowed, struct ps_peer *who, char *why,
              size_t why_size);

#define PS_ADMIT_DESCRIPTORS 2
#define PS_ADMIT_WHY_SIZE    192

#endif
