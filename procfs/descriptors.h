/* SPDX-License-Identifier: BSD-3-Clause
 *
 * descriptors: how many descriptors a process has open, and what they are. Uses no heap memory, and
 * has at most one descriptor of its own open at a time.
 */
#ifndef PROCFS_DESCRIPTORS_H
#define PROCFS_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

/* The most descriptors that are looked at. Each descriptor takes about 2 us. */
#define DESCRIPTORS_LOOKED_AT 16384

#define DESCRIPTORS_DETAIL_SIZE 512

/* Returns the number of open descriptors of a process. folder is "/proc/PID" or "/proc/self"; for
 * /proc/self, the descriptor that this function opens is included. Before Linux 6.2, the
 * descriptors are counted one by one until the deadline (ms of CLOCK_MONOTONIC), so the result may
 * be too low. Returns -1 if the descriptors cannot be counted. */
int64_t descriptors_count(const char *folder, int64_t deadline);

/* Writes to `out`, in UTF-8, what most of the open descriptors are: "most of them: 1,003 sockets to
 * 10.0.0.5:5432". If no group has most of the descriptors, writes the largest groups: "among them:
 * 300 pipe ends, 200 descriptors of /dev/null". Writes an empty string if nothing is known, because
 * the folder cannot be read or the deadline has passed. out has DESCRIPTORS_DETAIL_SIZE bytes. */
void descriptors_describe(const char *folder, int64_t deadline, char *out);

#endif
