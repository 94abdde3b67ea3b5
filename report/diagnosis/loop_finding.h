/* SPDX-License-Identifier: BSD-3-Clause
 *
 * loop_finding: the finding that an asyncio loop is blocked: one of its callbacks or tasks waits in
 * a synchronous call, so that no other task can run.
 *
 * The stack shows that a loop is blocked: asyncio's Handle._run is on the stack, and the innermost
 * function waits for a lock or in a system call. A callback that computes is not reported, because
 * it does not wait.
 */
#ifndef REPORT_DIAGNOSIS_LOOP_FINDING_H
#define REPORT_DIAGNOSIS_LOOP_FINDING_H

#include "diagnosis/wait_graph.h"

/* The `kind` of the findings. */
#define FINDING_LOOP "blocked-loop"

/* Adds a finding for each thread whose loop is blocked. g: the graph of this process. Returns false
 * if there is no memory. */
bool diagnose_loops(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
