/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print_group: prints many threads or tasks that have the same stack:
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

/* A thread or task. name: its name, or its id if the name is unknown or empty. unchanged_ms: as in
 * report_thread. */
struct group_item {
    struct report_text name;
    const report_frames *frames;
    const report_texts *notes;
    int64_t unchanged_ms;
};

/* Returns the thread or task with the index `at` of a process. */
typedef struct group_item group_item_of(const struct report_process *process, size_t at);

/* Prints threads or tasks, which must have equal stacks. noun: "thread" or "task". members: the
 * indexes of the `count` threads or tasks. If there is no memory, prints nothing and returns false.
 */
bool print_group(const struct printer *p, const char *noun, group_item_of *item_of,
                 const struct report_process *process, const size_t *members, size_t count);

#endif
