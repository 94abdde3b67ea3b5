/* SPDX-License-Identifier: BSD-3-Clause
 *
 * blocker_finding: which thread or task makes others wait, although it can itself continue:
 *
 *     2 threads apparently wait for writer (app.py:30), which sleeps for another 998 s
 *       reader-0 (app.py:12) waits for Lock db.lock, apparently held by writer since app.py:28
 *       reader-1 (app.py:12) waits for Lock db.lock, apparently held by writer since app.py:28
 */
#ifndef REPORT_DIAGNOSIS_BLOCKER_FINDING_H
#define REPORT_DIAGNOSIS_BLOCKER_FINDING_H

#include "diagnosis/wait_graph.h"

/* The kind of the finding. Its `members` are the waiters, and its `evidence` is the blocker. */
#define FINDING_BLOCKER "blocker"

/* Adds a finding for each blocker, the one with the most waiters first. A blocker is the end of a
 * chain in which each thread, greenlet or task depends on only one other. Call diagnose_threads()
 * before, since the finding repeats the first note of the blocker. Returns false if there is no
 * memory. */
bool diagnose_blockers(struct report *r, struct report_process *process,
                       const struct wait_graph *g);

#endif
