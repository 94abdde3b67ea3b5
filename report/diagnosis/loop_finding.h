/* SPDX-License-Identifier: BSD-3-Clause
 *
 * loop_finding: the finding that a loop of asyncio or trio, or a hub of gevent, is blocked: code
 * that it has called waits in a synchronous call, so that no other task or greenlet can run.
 *
 * A loop of asyncio is blocked if asyncio's Handle._run is on the stack, and the innermost function
 * waits for a lock or in a system call. A loop of uvloop or trio is blocked if one of its tasks
 * runs, and the thread of the loop waits. Code that computes is not reported, because it does not
 * wait.
 */
#ifndef REPORT_DIAGNOSIS_LOOP_FINDING_H
#define REPORT_DIAGNOSIS_LOOP_FINDING_H

#include "diagnosis/wait_graph.h"

/* The `kind` of the findings. */
#define FINDING_LOOP "blocked-loop"

/* Returns what to call the loop of a task: "asyncio loop" or "trio loop". task: a node. */
const char *loop_words(const struct wait_graph *g, size_t task);

/* Adds a finding for each thread whose loop is blocked. g: the graph of this process. Returns false
 * if there is no memory. */
bool diagnose_loops(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
