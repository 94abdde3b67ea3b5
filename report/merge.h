/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the threads that have equal stacks, and merges the stacks of all threads into one tree of
 * calls.
 *
 * Two frames are equal if they have the same file, line and function.
 */
#ifndef REPORT_MERGE_H
#define REPORT_MERGE_H

#include <stdbool.h>

#include "report.h"

/* Sets `stack` of each thread whose frames are known, and `merged` of the process. r must own the
 * process: the tree is allocated in its arena. The tree refers to the frames of the threads and
 * does not copy them, so do not change the frames after this call. Returns false if there is no
 * memory; then `merged` is unknown. Time: n log n comparisons of stacks for n threads. */
bool report_merge(struct report *r, struct report_process *process);

/* Compares two stacks from the outermost frame on, for sorting. Returns a number less than, equal
 * to or greater than 0. */
int report_compare_stacks(const report_frames *a, const report_frames *b);

#endif
