/* SPDX-License-Identifier: BSD-3-Clause
 *
 * any_of: threads that wait until any of several processes does something: the end of any child, in
 * wait4(2) or waitid(2), or input from any of several pipes, in poll(2). Uses no heap memory except
 * for the report's arena, and one descriptor at a time.
 */
#ifndef PROCFS_ANY_OF_H
#define PROCFS_ANY_OF_H

#include "procfs/target_process.h"
#include "report.h"

/* Sets `waits` of each thread that waits for any of several processes, and adds to the objects of
 * the process an object whose holders are these processes. Call this function after
 * call_waits_set(). */
void any_of_set_waits(const struct target_process *from, struct arena *arena,
                      struct report_process *process, int64_t deadline);

#endif
