/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shortage: which resources a process has used up. Uses no heap memory except for the report's
 * arena, and one descriptor at a time.
 */
#ifndef PROCFS_SHORTAGE_H
#define PROCFS_SHORTAGE_H

#include "report.h"

/* A resource is reported if at most 1/SHORTAGE_LEFT of its limit, about 3 %, is left. */
#define SHORTAGE_LEFT 32

/* How long shortage_find() may take, in ms. */
#define SHORTAGE_BUDGET_MS 300

/* Fills process->shortage with the resources that the process has (nearly) used up; an empty list
 * if it has used up none. folder: "/proc/self", or "/proc/PID" for another process. The texts are
 * in the arena. The resources:
 *
 *     file descriptors              RLIMIT_NOFILE; detail says what most of them are
 *     open files of the machine     /proc/sys/fs/file-max; not for privileged processes
 *     threads of the user           RLIMIT_NPROC, for all processes of the user that /proc shows;
 *                                   not for privileged processes, which have no such limit
 *     threads of the control group  pids.max of the cgroup, or of a cgroup above it
 *     address space                 RLIMIT_AS, in bytes
 *     data memory                   RLIMIT_DATA, in bytes
 *     memory of the control group   memory.max, in bytes; the caches of files are not counted
 *
 * A resource whose numbers cannot be read is left out. If the arena has no memory left, the list
 * stays unknown.
 *
 * given: how many bytes of address space the process had reserved, and has released so that it can
 * answer. These bytes count as used. */
void shortage_find(struct arena *arena, struct report_process *process, const char *folder,
                   int64_t given);

#endif
