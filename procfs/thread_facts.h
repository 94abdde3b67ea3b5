/* SPDX-License-Identifier: BSD-3-Clause
 *
 * thread_facts: the states of the threads of a report, their system calls, what these calls wait
 * for, and how much of a CPU the running threads use. Uses one descriptor at a time, and no
 * heap memory except for the report's arena.
 */
#ifndef PROCFS_THREAD_FACTS_H
#define PROCFS_THREAD_FACTS_H

#include "procfs/target_process.h"
#include "report.h"

/* Sets the state and the system call of each thread of the process whose native_id is known, and
 * `cpu` of the threads that run. If the id of the process is known, also sets `waits` of threads
 * that wait for another process (call_waits.h), and `others` of the process. Lists in
 * process->missing what could not be read.
 *
 * before: for each thread, the number that procfs_thread_activity() returned before the frames of
 * the thread were read. If the thread has run since then, its system call is not set, because its
 * frames may not belong to this call. If the number is not known, it is -1. Then nothing is set for
 * a thread of this process; for a thread of another process, all but the system call is set, and in
 * a subinterpreter also the system call. before NULL: the system calls are set for all threads.
 *
 * Whether or not `before` is NULL: if a thread of another process waits for a third process, this
 * wait is set only if `switches` of the thread was set before its frames were read.
 *
 * denied: why the kernel does not allow the system calls to be read, a constant sentence.
 * budget_ms: the time limit for reading the states and calls. After that, the same time limit holds
 * for finding out what the calls wait for, and then again for reading about other processes. If
 * threads run, the function takes at least 20 ms, or 60 ms for another process. */
void thread_facts_fill(const struct target_process *from, struct arena *arena,
                       struct report_process *process, const int64_t *before, const char *denied,
                       int budget_ms);

#endif
