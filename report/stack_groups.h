/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Groups of threads with equal stacks, for output that shows each of these stacks once.
 */
#ifndef REPORT_STACK_GROUPS_H
#define REPORT_STACK_GROUPS_H

#include "report.h"

/* The smallest number of threads with equal stacks that are made one group. */
#define STACK_GROUP_MIN 5

struct stack_group {
    size_t first, count; /* the part of stack_groups.threads that is this group */
};

struct stack_groups {
    size_t *threads; /* the indices of all threads, grouped, and in order within a group */
    struct stack_group *items;
    size_t count;
};

/* Divides the threads of a process into groups. At least STACK_GROUP_MIN threads with equal stacks
 * are a group. Each of the other threads is a group of one. The groups of one come first, in the
 * order of the report, and then the larger ones, the smallest first. A thread whose stack is not
 * known, or not exact, is a group of one. Returns false if there is no memory. Call
 * stack_groups_free in either case. */
bool stack_groups_make(struct stack_groups *out, const struct report_process *process);
void stack_groups_free(struct stack_groups *groups);

#endif
