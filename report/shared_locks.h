/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shared_locks: finds the holders of locks of multiprocessing in other processes.
 */
#ifndef REPORT_SHARED_LOCKS_H
#define REPORT_SHARED_LOCKS_H

#include "report.h"

/* Looks for each lock of multiprocessing of a process, and of its `others`, whose holder is not
 * known. If exactly one thread of the other processes holds the lock, makes this thread its holder,
 * and adds "elsewhere" to the detail of the object. The processes were not read at the same moment,
 * so the thread may have released the lock since. If the processes contradict each other, the
 * holder is not known. Returns false if there is no memory. */
bool share_locks(struct arena *arena, struct report_process *process);

#endif
