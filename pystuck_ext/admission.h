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

/* Whether an address is one that only this machine can reach: loopback or a Unix socket. */
bool ps_is_local_address(const struct sockaddr *address);

/* Who is let in beside root and the debuggee's own user. Zero: nobody. The overflow uid and gid,
 * which stand for everyone that has no number in this user namespace, are never let in. */
struct ps_guests {
    const uid_t *users;
    size_t count;
    bool has_group;
    gid_t group; /* over a Unix socket: whoever is in it */
};

/* Whether the peer of a connected socket is let in. guests is borrowed. Asks before a byte has been
 * read, and only the kernel: SO_PEERCRED for a Unix socket, the owner of the other end for loopback
 * TCP. Whatever cannot be found out is a no. why gets the reason, one line, when the answer is no.
 */
bool ps_admit(int fd, const struct ps_guests *guests, char *why, size_t why_size);

#endif
