/* SPDX-License-Identifier: BSD-3-Clause
 *
 * folder: lists the entries of folders of /proc whose names are numbers. Uses no heap memory, and
 * one descriptor at a time.
 */
#ifndef PROCFS_FOLDER_H
#define PROCFS_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens the folder of a process's descriptors. folder is "/proc/PID" or "/proc/self". Returns -1 if
 * the folder cannot be opened. */
int folder_of_descriptors(const char *folder);

/* Calls `each` with the name of each entry that is a number, until `each` returns false. `each` may
 * be NULL. dir: the open folder. Returns the number of entries that were counted. Stops at the
 * deadline, in ms of CLOCK_MONOTONIC, so the number may be too low. */
int64_t folder_walk(int dir, int64_t deadline, bool (*each)(void *arg, int dir, const char *name),
                    void *arg);

/* Calls `each` with the ID of each process in /proc. No descriptor is open during these calls.
 * Returns false if the deadline has passed, or if /proc cannot be read, before all processes were
 * visited. */
bool folder_walk_processes(int64_t deadline, void (*each)(void *arg, pid_t pid), void *arg);

#endif
