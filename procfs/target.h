/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target: finds out what the system calls of threads wait for: a file, a pipe and the process that
 * has its other end, a TCP socket with its addresses and its state, a Unix socket, or a locked file
 * and the process that holds the lock. Also finds out how long a sleep will still last. Uses no
 * heap memory except for the report's arena, and one descriptor at a time. What cannot be read
 * stays unknown.
 */
#ifndef PROCFS_TARGET_H
#define PROCFS_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "procfs/target_process.h"
#include "report.h"

/* A thread in a system call. */
struct target_thread {
    pid_t thread;                /* the ID that this process has for it */
    int state;                   /* enum report_state */
    struct report_syscall *call; /* as procfs_thread_syscall() has returned it */
    int64_t activity; /* procfs_thread_activity() before the call was read; -1: not known */
};

/* Sets members of the calls, as far as they are known: `target`; for sleeps, left_ms; for poll(2)
 * and similar calls, `watched`, and fd if the call waits for only one descriptor. Drops what was
 * found for a thread that has run during the search. Stops at the deadline, in ms of
 * CLOCK_MONOTONIC; what was not found before the deadline stays unknown. */
void targets_find(const struct target_process *from, const struct target_thread *threads,
                  size_t count, struct arena *arena, int64_t deadline);

#endif
