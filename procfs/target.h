/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target: what the system calls of threads are on: a file, a pipe and the process that has its
 * other end, a TCP socket with its addresses and its state, a Unix socket, a locked file and the
 * process that holds the lock; and how long a sleep will still last. Uses no heap memory except for
 * the report's arena, and one descriptor at a time. What cannot be read stays unknown.
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
};

/* Sets the member `target` of the calls, for sleeps left_ms, and for poll(2) and the like
 * `watched`, as far as they are known. If poll(2) or select(2) waits for one descriptor, also sets
 * fd. Drops what was found for a thread that has run meanwhile. Stops at the deadline, in ms of
 * CLOCK_MONOTONIC; what was not found by then stays unknown. */
void targets_find(const struct target_process *from, const struct target_thread *threads,
                  size_t count, struct arena *arena, int64_t deadline);

#endif
