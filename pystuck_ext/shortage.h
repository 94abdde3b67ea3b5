/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds out which resources this process has used up, for the answer to STACKS. Needs no GIL.
 */
#ifndef PS_SHORTAGE_H
#define PS_SHORTAGE_H

#include "report.h"

/* Fills process->shortage: see shortage_find() in procfs/shortage.h. The texts are in the arena.
 * Uses a descriptor of the reserve if no other descriptor is free. Call without a lock held. */
void ps_shortage_find(struct arena *arena, struct report_process *process);

#endif
