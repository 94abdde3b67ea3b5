/* SPDX-License-Identifier: BSD-3-Clause
 *
 * textfile: reads and writes text files on the client's machine.
 */
#ifndef CLIENT_TEXTFILE_H
#define CLIENT_TEXTFILE_H

#include <stdbool.h>

#include "file.h"

/* Expands ~ and ~user at the start of a name. If there is no such user, keeps the name as it is.
 * Returns a path for free(); NULL: out of memory. */
char *textfile_path(const char *name);

/* Reads a file. Returns the text of the file, for free(), or NULL with errno. errno is EILSEQ if
 * the file contains a NUL character. A FIFO without a writer counts as empty. */
char *textfile_read(const char *path);

/* Like textfile_read(), but reads from fd and closes fd. If fd is -1, returns NULL and keeps errno.
 */
char *textfile_read_fd(int fd);

/* A file that is being written. Write the text of the file to new.stream. */
struct textfile {
    int folder;
    const char *name; /* the last part of the path */
    bool replace;
    struct file_new new;
};

/* Begins to write a file. The file has a temporary name until textfile_commit() moves it to `path`.
 * If replace is true, the file may replace a regular file of the user, but nothing else. If replace
 * is false and the path exists, fails with errno EEXIST. Returns 0, or -1 with *why. */
int textfile_begin(struct textfile *out, const char *path, bool replace, struct file_error *why);

/* Completes the file and moves it to its path. Returns 0, or -1 with *why and errno. On failure, an
 * old file at this path is unchanged. */
int textfile_commit(struct textfile *file, struct file_error *why);

#endif
