/* SPDX-License-Identifier: BSD-3-Clause
 *
 * file: opening files where other users may have put something else in their place.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Why a file or a directory is not used: "/home/alice belongs to user alice (uid 1001)". */
struct file_error {
    char text[256];
};

/* Opens a file of the user's own (geteuid), for O_RDONLY or O_RDWR, with O_APPEND and O_CREAT (mode
 * 0600) where these are in flags: follows no link, waits for nothing, and takes only a regular file
 * that has no other name. folder is a directory's descriptor or AT_FDCWD; path is for messages. The
 * descriptor, or -1 with *why. */
int file_open_own(int folder, const char *name, const char *path, int flags,
                  struct file_error *why);

/* Opens the directory that a file is in, and makes what is missing of it (mode 0700), but only in
 * directories of the user's own. All directories and links on the way have to be the user's or
 * root's, and the last one the user's. A descriptor (O_PATH), or -1 with *why. */
int file_open_folder(const char *path, struct file_error *why);

/* Whether what is to be read there is a regular file of the user's or root's. *why is empty where
 * there is none. */
bool file_is_trusted(const char *path, struct file_error *why);

/* Opens any file for reading, but does not wait for the other end of a FIFO: one that nothing
 * writes to is empty. The descriptor, or -1 with errno. */
int file_open_to_read(const char *path);

/* A file that is being written, under another name until it is complete. */
struct file_new {
    int folder; /* borrowed */
    char temporary[32];
    FILE *stream;
};

/* Begins a file of the mode, in a directory. 0, or -1 with errno. */
int file_begin(struct file_new *out, int folder, mode_t mode);

/* Ends it: puts it on the disk and in the place of a file of that name, or, where replace is 0,
 * only where there is none (EEXIST). 0, or -1 with errno, and it is gone. */
int file_commit(struct file_new *file, const char *name, int replace);

/* Gives it up. Keeps errno. */
void file_abandon(struct file_new *file);

#endif
