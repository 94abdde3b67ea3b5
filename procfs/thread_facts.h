/* SPDX-License-Identifier: BSD-3-Clause
 *
 * thread_facts: the states of the threads of a report, their system calls, what these are on, and
 * how much of a CPU the running threads use. Uses no heap memory except for the report's arena, and
 * one descriptor at a time.
 */
#ifndef PROCFS_THREAD_FACTS_H
#define PROCFS_THREAD_FACTS_H

#include "procfs/target_process.h"
#include "report.h"

/* Sets the state and the system call of each thread of the process whose native_id is known, and
 * `cpu` of the threads that run. Lists in process->missing what could not be read.
 *
 * before: for each thread, procfs_thread_activity() before its frames were read; -1: not known.
 * A thread that has run since then gets no system call, because it may not be the call in which its
 * frames are. Nothing is set if its number is not known. If `before` is NULL, all threads get their
 * calls.
 *
 * denied: why the kernel does not allow the system calls to be read, a constant sentence.
 * budget_ms: how long it may take to read the states and calls; then again as long to find out what
 * the calls are on. If threads run, the function takes at least 20 ms, or 60 ms for another
 * process.
 */
void thread_facts_fill(const struct target_process *from, struct arena *arena,
                       struct report_process *process, const int64_t *before, const char *denied,
                       int budget_ms);

#endif
