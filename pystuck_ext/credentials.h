/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rights of a process that the kernel's rule for ptrace compares: uids, gids and capabilities.
 * Does not use Python.
 */
#ifndef PS_CREDENTIALS_H
#define PS_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The lowest and the highest of all real, effective and saved ids of one kind. */
struct ps_id_range {
    unsigned low, high;
};

struct ps_credentials {
    struct ps_id_range uids, gids;
    uint64_t capabilities; /* bits of the permitted set, except HARMLESS (credentials.c) */
};

/* Reads the rights of all threads of this process, which may differ, and combines them in *all: the
 * lowest and highest ids, and each capability that any thread has. Returns false if the rights
 * cannot be read. Uses two descriptors while it runs, and about 10 us for each thread. */
bool ps_credentials_of_program(struct ps_credentials *all);

/* Reads the capabilities of the peer of `fd`, a Unix socket. uid: the peer's user. Returns false if
 * the peer's process has ended, has got rights from the file of its program, or is in another user
 * namespace. Before Linux 6.5, always returns false: on such a kernel, another process may have got
 * the pid of the peer. Uses two descriptors while it runs. */
bool ps_capabilities_of_peer(int fd, uid_t uid, uint64_t *capabilities);

/* True if every gid exists in this process's user namespace. In this case, the overflow gid is an
 * ordinary group. Otherwise the overflow gid stands for all groups without an id. */
bool ps_every_gid_has_a_number(void);

#endif
