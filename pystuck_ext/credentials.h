/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a process may do, as the kernel's rule for ptrace sees it: its uids, its gids and its
 * capabilities. Knows no Python.
 */
#ifndef PS_CREDENTIALS_H
#define PS_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One kind of id: the lowest and the highest of all real, effective and saved ones. */
struct ps_id_range {
    unsigned low, high;
};

struct ps_credentials {
    struct ps_id_range uids, gids;
    uint64_t capabilities; /* permitted, as bits; without those that give no power over anything */
};

/* Reads what all threads of this process have together: each has ids and capabilities of its own.
 * False if that cannot be read. Takes two descriptors for as long as it runs, and about 10 us for
 * each thread. */
bool ps_credentials_of_program(struct ps_credentials *all);

/* Reads the capabilities of the process that connected to a Unix socket, which is that user's.
 * False if it has ended, has got rights from its program's file, is in another user namespace, or
 * cannot be told from one that has been given its pid since, as before Linux 6.5. Takes two
 * descriptors for as long as it runs. */
bool ps_capabilities_of_peer(int fd, uid_t uid, uint64_t *capabilities);

/* Whether every gid has a number in this process's user namespace: the overflow gid, which else
 * stands for all that have none, is one group then. */
bool ps_every_gid_has_a_number(void);

#endif
