/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print_group: prints many threads that have the same stack:
 *
 *     990 threads: worker-0 ... worker-989
 *       File "pool.py", line 12, in work
 *       # waits for an item in Queue jobs
 *
 * If the threads have different notes, each note begins with the number of its threads: "# 12
 * threads: waits for ...".
 */
#ifndef CLIENT_STACKS_PRINT_GROUP_H
#define CLIENT_STACKS_PRINT_GROUP_H

#include "stacks/print_stack.h"

/* Prints threads of a process that have equal stacks. threads: the indices of these threads. If
 * there is no memory, prints nothing and returns false. */
bool print_group(const struct printer *p, const struct report_process *process,
                 const size_t *threads, size_t count);

#endif
