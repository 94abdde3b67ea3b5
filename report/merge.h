/* SPDX-License-Identifier: BSD-3-Clause
 *
 * report/merge: which threads have equal stacks, and the calls of all threads as one tree.
 *
 * Two frames are equal if file, line and function are.
 */
#ifndef REPORT_MERGE_H
#define REPORT_MERGE_H

#include <stdbool.h>

#include "report.h"

/* Sets `stack` of each thread whose frames are known, and `merged` of the process. The frames of
 * the tree are those of the threads: do not change them afterwards. process belongs to r, whose
 * arena is used. Returns false if there is no memory; `merged` is unknown then. Time: n log n
 * comparisons of stacks for n threads. */
bool report_merge(struct report *r, struct report_process *process);

#endif
