/* SPDX-License-Identifier: BSD-3-Clause
 *
 * textfile: files of this side that are named at the prompt.
 */
#ifndef CLIENT_TEXTFILE_H
#define CLIENT_TEXTFILE_H

/* The path that a name stands for, ~ and ~user expanded, for free(); NULL: out of memory. */
char *textfile_path(const char *name);

/* The text of a file, for free(). NULL with errno: EILSEQ if there is a NUL character in it. */
char *textfile_read(const char *path);

#endif
