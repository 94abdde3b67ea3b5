/* SPDX-License-Identifier: BSD-3-Clause
 *
 * children: the child processes for which a thread waits in wait4(2) or waitid(2). Uses no heap
 * memory, and one descriptor at a time.
 */
#ifndef PROCFS_CHILDREN_H
#define PROCFS_CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

#include "report.h"

#define CHILDREN_MAX 64 /* the most children that are listed */

/* Lists the children of a process for which a system call waits. folder: "/proc/PID". Returns their
 * number. Returns 0 if the call does not wait for any of several children, if there are more than
 * CHILDREN_MAX, or if they cannot be read. Stops at the deadline, in ms of CLOCK_MONOTONIC. */
size_t children_of_call(const char *folder, const struct report_syscall *call,
                        pid_t children[CHILDREN_MAX], int64_t deadline);

#endif
