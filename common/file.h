/* SPDX-License-Identifier: BSD-3-Clause
 *
 * file: opens and writes files in directories where another user may have put a link, a FIFO or a
 * different file in place of the expected file.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Why a file or a directory is not used, for example "/home/alice belongs to user alice (uid
 * 1001)". */
struct file_error {
    char text[256];
};

/* Opens a file that belongs to the effective user. Follows no symbolic link and does not block. The
 * file must be a regular file without other hard links.
 *   - folder: the descriptor of a directory, or AT_FDCWD
 *   - path: for messages
 *   - flags: O_RDONLY or O_RDWR, optionally with O_APPEND and O_CREAT (mode 0600)
 * Returns a descriptor, or -1 with *why. */
int file_open_own(int folder, const char *name, const char *path, int flags,
                  struct file_error *why);

/* Opens the directory of the file with this absolute path. Creates missing directories (mode 0700),
 * but only in directories of the effective user. All directories and links of the path must belong
 * to the effective user or root, and the last directory to the effective user. Returns a descriptor
 * (O_PATH), or -1 with *why. */
int file_open_folder(const char *path, struct file_error *why);

/* True if the path leads to a regular file that belongs to the effective user or root. If not,
 * returns false with the reason in *why. If the file does not exist or cannot be examined, returns
 * false with an empty *why. */
bool file_is_trusted(const char *path, struct file_error *why);

/* Opens a file of any kind for reading. Does not wait for the other end of a FIFO: a FIFO without a
 * writer is empty. Returns a descriptor, or -1 with errno. */
int file_open_to_read(const char *path);

/* A file that is being written. It has a temporary name until it is complete. */
struct file_new {
    int folder; /* borrowed */
    char temporary[32];
    FILE *stream;
};

/* Creates a file with a temporary name in a directory. Returns 0, or -1 with errno. */
int file_begin(struct file_new *out, int folder, mode_t mode);

/* Writes the file to the disk, and renames it to `name`. If a file of that name exists, replaces
 * it, or fails with EEXIST if replace is 0. Returns 0, or -1 with errno. After a failure the new
 * file is removed. */
int file_commit(struct file_new *file, const char *name, int replace);

/* Closes and removes the file. Keeps errno. */
void file_abandon(struct file_new *file);

#endif
