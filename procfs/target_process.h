/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target_process: the process whose system calls are explained, and the functions that read its
 * memory.
 */
#ifndef PROCFS_TARGET_PROCESS_H
#define PROCFS_TARGET_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target_process {
    const char *folder; /* "/proc/self" or "/proc/PID" */
    bool is_own;        /* it is this process */
    pid_t pid;          /* the ID that this process has for it */
    bool is_contained;  /* it is in another PID namespace: IDs in its system calls mean processes
                           of that namespace */

    /* Reads size bytes of the process's memory. Returns false if these bytes cannot be read. The
     * pointer is NULL if no memory of the process can be read. */
    bool (*read_memory)(const void *arg, uint64_t address, void *to, size_t size);

    /* Converts the ID of a thread of the target process: theirs is the thread's ID in the PID
     * namespace of the target process, and the result is its ID in the PID namespace of this
     * process. Returns 0 if there is no such thread. The pointer is NULL if both processes are in
     * the same PID namespace. */
    pid_t (*thread_id)(const void *arg, pid_t theirs);

    /* Returns the same number as procfs_thread_switches(), in less time. Returns -1 if the thread
     * has run, or if there is no faster way to find out the number. thread: the ID that this
     * process has for the thread. The pointer may be NULL. */
    int64_t (*switches)(const void *arg, pid_t thread);

    const void *arg; /* the first argument of these functions */
};

#endif
