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

/* The kinds of the findings. The `members` are the waiters, and the `evidence` is the blocker. */
#define FINDING_BLOCKER         "blocker"
#define FINDING_PERHAPS_BLOCKER "perhaps-blocker" /* a guess, or the wait has a timeout */

/* Adds a finding for each blocker, the one with the most waiters first. A blocker is the end of a
 * chain in which each thread, greenlet or task depends on only one other. Call diagnose_threads()
 * before, since the finding repeats the first note of the blocker.
 *
 * g: the graph without guesses. guessed: the graph of the same process with guesses and with waits
 * that end by themselves; it may be empty. From this graph, adds findings of the kind
 * FINDING_PERHAPS_BLOCKER about threads that have no blocker in g, with the certainty
 * CERTAINTY_LIKELY for guesses: "main perhaps waits for writer".
 *
 * Returns false if there is no memory. */
bool diagnose_blockers(struct report *r, struct report_process *process, const struct wait_graph *g,
                       const struct wait_graph *guessed);

#endif
