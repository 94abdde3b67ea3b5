/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/seen: remembers the stacks that --watch has printed, to find out which threads have not
 * moved since.
 */
#ifndef CLIENT_STACKS_SEEN_H
#define CLIENT_STACKS_SEEN_H

#include "report.h"

struct stacks_seen;

/* Returns an empty memory, which is never freed. NULL: out of memory. */
struct stacks_seen *stacks_seen_new(void);

/* Begins a round: forgets all processes that the previous round did not have. */
void stacks_seen_begin(struct stacks_seen *seen);

/* True in the first round. */
bool stacks_seen_is_first(const struct stacks_seen *seen);

/* Sets unchanged_ms of each thread of a process: for how long the thread has had this stack, as far
 * as the earlier rounds show. 0: it had another stack in the previous round. Leaves it unknown if
 * the previous round did not have the thread. Then remembers the stacks. report_merge() must have
 * been called. Call once for each process of a round. */
void stacks_seen_add(struct stacks_seen *seen, struct report_process *process);

#endif
