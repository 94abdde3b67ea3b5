/* SPDX-License-Identifier: BSD-3-Clause
 *
 * call_waits: finds out from the system calls of threads which threads wait for another process:
 * for the end of the process, for the process at the other end of a pipe or Unix socket, or for the
 * process that holds a file lock.
 */
#ifndef PROCFS_CALL_WAITS_H
#define PROCFS_CALL_WAITS_H

#include <sys/types.h>

#include "report.h"

/* Sets `waits` of each thread whose system call waits for one other process, and ends only when
 * that process does something. Leaves alone threads whose `waits` is known, unless only their
 * frames say that they wait for the end of a process. Call this function after targets_find(). pid:
 * the ID of the threads' own process, in the same PID namespace as the IDs in peer_pid. id: the id
 * of this process in the report, "PID@HOST"; ids of other processes get the same host. If the id is
 * unknown, sets nothing. */
void call_waits_set(struct arena *arena, struct report_thread *threads, size_t count, pid_t pid,
                    struct report_text id);

/* Converts the ids "process:PID" among the holders of objects, and among what threads wait for, to
 * "PID@HOST". */
void call_waits_convert(struct arena *arena, struct report_process *process);

/* Removes the wait for another process from each thread that has run since `switches` of the thread
 * was read, because the wait may be over. Also removes it if `switches` is unknown. Does not remove
 * a wait that ends by itself after some time: the thread may have to wake up during such a wait.
 * folder: "/proc/PID" of the process of the threads. */
void call_waits_check(const char *folder, struct report_thread *threads, size_t count);

/* Returns the id "PID@HOST" of a process on the host of the process with the id `other`. Returns
 * an unknown text if `other` has no host. */
struct report_text call_waits_id(struct arena *arena, int64_t pid, struct report_text other);

#endif
