/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/whole_file: reads the files that a process has mapped, for locate_pythons(). The files are
 * copied and not mapped, because a user who can write to a file may truncate it at any time, and
 * the kernel sends SIGBUS to a process that reads a mapping beyond the end of its file.
 */
#ifndef CLIENT_STACKS_WHOLE_FILE_H
#define CLIENT_STACKS_WHOLE_FILE_H

#include <stddef.h>

#include "locate.h"

/* Reads a regular file of at most 1 GiB. Returns the data of the file, for whole_file_close(), and
 * sets *size to its size in bytes. Returns NULL if the file cannot be read. Does not close fd. */
const void *whole_file_read(int fd, size_t *size);

/* Frees the data of a file. Can be used as the member `close` of struct locate_files. */
void whole_file_close(const struct locate_files *files, const void *data, size_t size);

#endif
