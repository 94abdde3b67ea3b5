/* SPDX-License-Identifier: BSD-3-Clause
 *
 * read: reads small files of /proc and of /sys/fs/cgroup. Uses no heap memory, and one descriptor
 * at a time.
 */
#ifndef PROCFS_READ_H
#define PROCFS_READ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The size of the longest path that these functions build, with its NUL. */
#define PROCFS_PATH_SIZE 320

/* A number that is unknown, or that stands for "no limit". */
#define PROCFS_NONE INT64_MAX

/* Reads a file into `out`, or as much of the file as fits, and adds a NUL. Returns the length. If
 * the file cannot be read, returns -1 with errno set, and `out` is an empty string. */
ssize_t procfs_read(const char *path, char *out, size_t size);

/* Like procfs_read(), but reads the file `name` in a folder. Also returns -1 if the path is too
 * long. */
ssize_t procfs_read_in(const char *folder, const char *name, char *out, size_t size);

/* Returns the number after `label` in the first line that begins with label. Returns PROCFS_NONE if
 * there is no such line, or if the line has a word in place of a number ("unlimited"). */
int64_t procfs_value(const char *text, const char *label);

/* Returns the number in the file `name` of a folder. Returns PROCFS_NONE if the file cannot be read
 * or does not contain a number ("max"). */
int64_t procfs_number_in(const char *folder, const char *name);

#endif
