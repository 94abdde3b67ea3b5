/* SPDX-License-Identifier: BSD-3-Clause
 *
 * textfile: files of this side that are named at the prompt.
 */
#ifndef CLIENT_TEXTFILE_H
#define CLIENT_TEXTFILE_H

#include <stdbool.h>

#include "file.h"

/* The path that a name stands for, ~ and ~user expanded, for free(); NULL: out of memory. */
char *textfile_path(const char *name);

/* The text of a file, for free(). NULL with errno: EILSEQ if there is a NUL character in it. Does
 * not wait for the other end of a FIFO. */
char *textfile_read(const char *path);

/* The same of a descriptor, which is taken; -1: errno says why. */
char *textfile_read_fd(int fd);

/* A file that is being written, for its text to new.stream. */
struct textfile {
    int folder;
    const char *name; /* the path's */
    bool replace;
    struct file_new new;
};

/* Begins a file; nothing is at the path before textfile_commit. With replace it takes the place of
 * a regular file of the user's, and of nothing else; without, errno is EEXIST where something is
 * there. 0, or -1 with *why. */
int textfile_begin(struct textfile *out, const char *path, bool replace, struct file_error *why);

/* Ends it. 0, or -1 with *why and errno, and there is what was there before. */
int textfile_commit(struct textfile *file, struct file_error *why);

#endif
