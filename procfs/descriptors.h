/* SPDX-License-Identifier: BSD-3-Clause
 *
 * descriptors: how many descriptors a process has open, and what they are. Uses no heap memory, and
 * one descriptor at a time.
 */
#ifndef PROCFS_DESCRIPTORS_H
#define PROCFS_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

/* No more descriptors than this are looked at, and each takes about 2 us. */
#define DESCRIPTORS_LOOKED_AT 16384

#define DESCRIPTORS_DETAIL_SIZE 512

/* Returns the number of open descriptors of a process: folder is "/proc/PID" or "/proc/self". For
 * /proc/self the one that this function uses is included. Before Linux 6.2 each one is counted;
 * those that cannot be counted before the deadline (ms of CLOCK_MONOTONIC) are missing. Returns -1
 * if they cannot be counted. */
int64_t descriptors_count(const char *folder, int64_t deadline);

/* Says in UTF-8 what most of the open descriptors are: "most of them: 1,003 sockets to
 * 10.0.0.5:5432", or which are the most: "among them: 300 pipe ends, 200 descriptors of /dev/null".
 * An empty string if that is not known, because the folder cannot be read or the deadline has
 * passed. out has DESCRIPTORS_DETAIL_SIZE bytes. */
void descriptors_describe(const char *folder, int64_t deadline, char *out);

#endif
