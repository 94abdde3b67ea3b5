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

/* The longest path that these functions make. */
#define PROCFS_PATH_SIZE 320

/* A number that is unknown, or that stands for "no limit". */
#define PROCFS_NONE INT64_MAX

/* Reads a file, or as much of it as fits, as a string. Returns its length, or -1. */
ssize_t procfs_read(const char *path, char *out, size_t size);

/* The same for the file `name` in the folder. */
ssize_t procfs_read_in(const char *folder, const char *name, char *out, size_t size);

/* Returns the number after `label` at the start of a line; PROCFS_NONE if there is no such line, or
 * if it has a word in place of a number ("unlimited"). */
int64_t procfs_value(const char *text, const char *label);

/* Returns the number that a file consists of; PROCFS_NONE: none, or "max". */
int64_t procfs_number_in(const char *folder, const char *name);

#endif
