/* SPDX-License-Identifier: BSD-3-Clause
 *
 * other_processes: what the kernel tells about the processes for which a process waits: their
 * commands, the states of their threads, and the system calls in which these threads wait. Uses no
 * heap memory except for the report's arena, and one descriptor at a time. Takes no lock of the
 * memory of another process, so a process that is blocked does not block this one.
 */
#ifndef PROCFS_OTHER_PROCESSES_H
#define PROCFS_OTHER_PROCESSES_H

#include "procfs/target_process.h"
#include "report.h"

/* The most processes that are described, and the most threads of one of them. */
#define OTHERS_MAX        8
#define OTHER_THREADS_MAX 64

/* Sets process->others to the processes for which its threads wait, as far as their system calls
 * and the holders of objects say. Call this function after call_waits_set(). If a process has too
 * many threads, or its threads cannot be read, its list of threads stays unknown. Stops at the
 * deadline, in ms of CLOCK_MONOTONIC. Does nothing if from->is_contained is set: this process
 * cannot find the other processes by the IDs that they have in another PID namespace. */
void other_processes_find(const struct target_process *from, struct arena *arena,
                          struct report_process *process, int64_t deadline);

#endif
