/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/family: the child processes of a process.
 */
#ifndef CLIENT_STACKS_FAMILY_H
#define CLIENT_STACKS_FAMILY_H

#include <stddef.h>
#include <sys/types.h>

struct family {
    pid_t *pids; /* the process, then its children and their children, each behind its parent */
    size_t count;
};

/* Finds a process and all of its descendants. If /proc cannot be read or there is no memory, *out
 * has only the process, or nothing. Call family_free() in all cases. */
void family_find(struct family *out, pid_t pid);

void family_free(struct family *family);

#endif
