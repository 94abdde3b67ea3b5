/* SPDX-License-Identifier: BSD-3-Clause
 *
 * read: reads files of /proc and of /sys/fs/cgroup. Uses no heap memory, and one descriptor at a
 * time.
 */
#ifndef PROCFS_READ_H
#define PROCFS_READ_H

#include <stdbool.h>
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

/* Reads a file of any length. Calls each(arg, line) for each line, without its line ending, until
 * the call returns false. Leaves out lines of more than PROCFS_LINE_SIZE bytes. Stops at the
 * deadline, in ms of CLOCK_MONOTONIC. Returns true if it has read all lines. If the file cannot be
 * read, returns false with errno set. */
#define PROCFS_LINE_SIZE 1024
bool procfs_read_lines(const char *path, int64_t deadline, bool (*each)(void *arg, char *line),
                       void *arg);

/* Returns the number after `label` in the first line that begins with label. Returns PROCFS_NONE if
 * there is no such line, or if the line has a word in place of a number ("unlimited"). */
int64_t procfs_value(const char *text, const char *label);

/* Returns the number in the file `name` of a folder. Returns PROCFS_NONE if the file cannot be read
 * or does not contain a number ("max"). */
int64_t procfs_number_in(const char *folder, const char *name);

#endif
