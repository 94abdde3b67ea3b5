/* SPDX-License-Identifier: BSD-3-Clause
 *
 * mounts: where the file system of an open file is mounted. Does not access the file itself,
 * because the access could block. Uses no heap memory, and one descriptor at a time.
 */
#ifndef PROCFS_MOUNTS_H
#define PROCFS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the mount point of a descriptor's file to `out`. folder: "/proc/PID". Returns false if the
 * mount point is not known. */
bool mount_point_find(const char *folder, int fd, char *out, size_t size);

/* Replaces the escapes in a path of mountinfo, such as "\040" for a blank, by their characters. */
void mount_point_decode(char *path);

#endif
