/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the threads that have equal stacks, and merges the stacks of all threads to one tree of
 * calls.
 *
 * Two frames are equal if they have the same file, line and function.
 */
#ifndef REPORT_MERGE_H
#define REPORT_MERGE_H

#include <stdbool.h>

#include "report.h"

/* Sets `stack` of each thread whose frames are known, and `merged` of the process. The tree uses
 * the frames of the threads without a copy: do not change them afterwards. r owns process, and its
 * arena gets the tree. Returns false if there is no memory; `merged` is unknown then. Time: n log n
 * comparisons of stacks for n threads. */
bool report_merge(struct report *r, struct report_process *process);

#endif
