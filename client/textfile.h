/* SPDX-License-Identifier: BSD-3-Clause
 *
 * textfile: reads and writes text files on the client's side.
 */
#ifndef CLIENT_TEXTFILE_H
#define CLIENT_TEXTFILE_H

#include <stdbool.h>

#include "file.h"

/* Expands ~ and ~user at the start of a name. Returns a path for free(); NULL: out of memory. */
char *textfile_path(const char *name);

/* Reads a file. Returns its text for free(), or NULL with errno: EILSEQ if it contains a NUL
 * character. Does not wait for the other end of a FIFO. */
char *textfile_read(const char *path);

/* Like textfile_read(), from a descriptor, which it closes. If fd is -1, returns NULL and keeps
 * errno. */
char *textfile_read_fd(int fd);

/* A file that is being written: write its text to new.stream. */
struct textfile {
    int folder;
    const char *name; /* the last part of the path */
    bool replace;
    struct file_new new;
};

/* Begins to write a file, which appears at the path only in textfile_commit(). With replace, the
 * file may replace a regular file of the user, but nothing else. Without replace, fails with errno
 * EEXIST if the path exists. Returns 0, or -1 with *why. */
int textfile_begin(struct textfile *out, const char *path, bool replace, struct file_error *why);

/* Puts the file in its place. Returns 0, or -1 with *why and errno; the path is then unchanged. */
int textfile_commit(struct textfile *file, struct file_error *why);

#endif
