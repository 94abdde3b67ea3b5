/* SPDX-License-Identifier: BSD-3-Clause
 *
 * thread_facts: the states of the threads of a report, their system calls, and what these are on.
 * Uses no heap memory except for the report's arena, and one descriptor at a time.
 */
#ifndef PROCFS_THREAD_FACTS_H
#define PROCFS_THREAD_FACTS_H

#include "procfs/target_process.h"
#include "report.h"

/* Sets the state and the system call of each thread of the process whose native_id is known, and
 * lists in process->missing what could not be read. denied: why the kernel does not allow the
 * system calls to be read, a constant sentence. budget_ms: how long it may take to read the states
 * and calls; then again as long to find out what the calls are on. */
void thread_facts_fill(const struct target_process *from, struct arena *arena,
                       struct report_process *process, const char *denied, int budget_ms);

#endif
