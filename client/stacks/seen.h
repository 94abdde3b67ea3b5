/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/seen: remembers the stacks that --watch has printed, to find out which threads have not
 * moved since then. Each time that --watch prints stacks is a round.
 */
#ifndef CLIENT_STACKS_SEEN_H
#define CLIENT_STACKS_SEEN_H

#include "report.h"

struct stacks_seen;

/* Returns an object that remembers no stacks yet, for stacks_seen_free(). NULL: out of memory. */
struct stacks_seen *stacks_seen_new(void);

/* Frees what was remembered. seen may be NULL. */
void stacks_seen_free(struct stacks_seen *seen);

/* Begins a round. Forgets all processes that were not in the previous round. */
void stacks_seen_begin(struct stacks_seen *seen);

/* True in the first round. */
bool stacks_seen_is_first(const struct stacks_seen *seen);

/* Sets unchanged_ms of each thread of a process: for how long the thread has had its present stack,
 * as far as the earlier rounds show. Sets unchanged_ms to 0 if the thread had another stack in the
 * previous round, and leaves it unknown if the thread was not in the previous round. After this,
 * remembers the stacks of the process. Call report_merge() before this function. Call this function
 * once for each process of a round. */
void stacks_seen_add(struct stacks_seen *seen, struct report_process *process);

#endif
