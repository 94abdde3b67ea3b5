/* SPDX-License-Identifier: BSD-3-Clause
 *
 * deadlock_finding: findings about threads that can never continue.
 *
 * A deadlock is a cycle of the wait graph:
 *
 *     DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
 *       transfer-1 (bank.py:9) waits for Lock dst.lock, held by transfer-0 since bank.py:7
 *       transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7
 *
 * The first line is the finding's text, the others are its lines. The first thread is the one that
 * was started last, which probably closed the cycle. Of a long cycle, only the first threads are
 * shown.
 *
 * A second kind of finding is about a cycle for which it is a guess that a thread holds a lock. Any
 * thread may release a Lock that was taken by acquire(), so the facts do not show whether such a
 * cycle can end. The text begins with "not known whether this is a deadlock: ", and the certainty
 * is CERTAINTY_LIKELY.
 *
 * A third kind of finding is about an object for which threads wait, but which no living thread
 * can release, because its holder has ended, or exists only in the parent process.
 */
#ifndef REPORT_DIAGNOSIS_DEADLOCK_FINDING_H
#define REPORT_DIAGNOSIS_DEADLOCK_FINDING_H

#include "diagnosis/wait_graph.h"

/* The kinds of the findings. */
#define FINDING_DEADLOCK  "deadlock"
#define FINDING_PERHAPS   "perhaps-deadlock"
#define FINDING_ABANDONED "abandoned"

/* Adds the findings to a list of r. g: the graph, after cycles_find(). If the graph has several
 * processes, adds only the deadlocks that concern more than one of them. Returns false if there is
 * no memory.
 */
bool diagnose_deadlocks(struct report *r, report_findings *list, const struct wait_graph *g);

/* Adds the findings about cycles that have guesses. g: the graph without guesses. guessed: the
 * graph of the same process with guesses, after cycles_find(); it may be empty. Leaves out a cycle
 * if one of its nodes can never continue according to g, since there is a finding about this
 * already. Returns false if there is no memory. */
bool diagnose_perhaps_deadlocks(struct report *r, report_findings *list, const struct wait_graph *g,
                                const struct wait_graph *guessed);

#endif
