/* SPDX-License-Identifier: BSD-3-Clause
 *
 * semaphores: which processes use the locks of multiprocessing for which threads wait. Such a lock
 * is a semaphore in a file that has no name any more; the processes that use the lock have mapped
 * this file. Uses no heap memory except for the report's arena, and one descriptor at a time.
 */
#ifndef PROCFS_SEMAPHORES_H
#define PROCFS_SEMAPHORES_H

#include "procfs/target_process.h"
#include "report.h"

/* Completes the objects of the kind "semlock" whose `detail` has the address of the semaphore
 * ("handle"): adds the file of the semaphore ("semaphore"). If the holder of such a lock is not
 * known, also adds the IDs of the other processes that use it ("users"): those of the same user
 * whose mappings may be read. If there are none, the process that held the lock has apparently
 * ended, and the object is changed to say so. */
void semaphores_find(const struct target_process *from, struct arena *arena,
                     struct report_process *process, int64_t deadline);

#endif
