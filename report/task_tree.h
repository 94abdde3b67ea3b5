/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tasks of asyncio as a tree: below each task are those that it awaits.
 *
 * The rows of the tree are in the order in which they are printed: the loops in the order of the
 * report, and in each loop the tasks that no other task awaits. A task that several tasks await is
 * only below the first of them. The tasks of a cycle are below the first one of the cycle.
 */
#ifndef REPORT_TASK_TREE_H
#define REPORT_TASK_TREE_H

#include "report.h"

struct task_row {
    size_t first, count; /* the part of task_tree.tasks that is in this row */
    size_t depth;        /* 0: no other task awaits it */
};

struct task_tree {
    size_t *tasks; /* the indices of all tasks, by rows */
    struct task_row *rows;
    size_t count; /* of the rows */
};

/* Makes the tree of the tasks of a process. If `folds` is false, each task is a row of its own. If
 * `folds` is true, at least STACK_GROUP_MIN (stack_groups.h) tasks that are at the same place of
 * the tree and have equal stacks are one row. Below a row of several tasks are the tasks that any
 * of these tasks awaits. At each place, the rows of single tasks come first. Returns false if there
 * is no memory. Call task_tree_free in either case. Time: n log n for n tasks and ids that they
 * await. */
bool task_tree_make(struct task_tree *tree, const struct report_process *process, bool folds);
void task_tree_free(struct task_tree *tree);

#endif
