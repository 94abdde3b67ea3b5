/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target_process: the process whose system calls are explained, and how to read its memory.
 */
#ifndef PROCFS_TARGET_PROCESS_H
#define PROCFS_TARGET_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target_process {
    const char *folder; /* "/proc/self" or "/proc/PID" */
    pid_t pid;          /* the ID that this process has for it */
    bool is_contained;  /* it is in another PID namespace: IDs in its system calls mean processes
                           of that namespace */

    /* Reads size bytes of the process's memory. Returns false if these bytes cannot be read. The
     * pointer is NULL if no memory of the process can be read. */
    bool (*read_memory)(const void *arg, uint64_t address, void *to, size_t size);

    /* Returns the ID that this process has for a thread, from the ID that the process itself has
     * for it; 0: there is no such thread. The pointer is NULL if the IDs are the same. */
    pid_t (*thread_id)(const void *arg, pid_t theirs);

    const void *arg; /* the first argument of these functions */
};

#endif
