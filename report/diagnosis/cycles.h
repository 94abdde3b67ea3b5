/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cycles: finds the nodes of a wait graph that can never continue, and the cycles among them.
 *
 * A node is stuck if no living thread can release it, or if it has edges and all of them lead to
 * nodes that are stuck. So every chain of stuck nodes ends in a cycle or in an object that no
 * living thread can release. A cycle is a set of nodes each of which leads to all others (a
 * strongly connected component).
 *
 * The time is linear in the nodes and edges. No function calls itself, so a long chain does not
 * overflow the stack.
 */
#ifndef REPORT_DIAGNOSIS_CYCLES_H
#define REPORT_DIAGNOSIS_CYCLES_H

#include "diagnosis/wait_graph.h"

/* Sets is_stuck and cycle of each node, and the number of cycles. The cycles are numbered in the
 * order of their first nodes. Returns false if there is no memory. */
bool cycles_find(struct wait_graph *g);

#endif
