/* SPDX-License-Identifier: BSD-3-Clause
 *
 * history_file: the cells that were typed, in $XDG_STATE_HOME/pystuck/history, for libedit.
 *
 * One cell a line, its own newlines as "\n" and backslashes doubled. Each one is appended as it is
 * entered, so that several prompts at once do not lose each other's.
 */
#ifndef CLIENT_PROMPT_HISTORY_FILE_H
#define CLIENT_PROMPT_HISTORY_FILE_H

#include <histedit.h>

/* How many cells are kept. */
#define HISTORY_FILE_MAX 10000

/* Where it is: a path for free(). NULL, which is said on stderr: there is no home directory. */
char *history_file_path(void);

/* Reads the file into libedit's memory, and shortens it if it has become too long. Makes it, and
 * its directory, if need be. Both have to be the user's own, see file.h. Where that is not so, or
 * another process keeps it locked for 200 ms, says why in a line on stderr, frees *path and makes
 * it NULL. */
void history_file_load(History *memory, char **path);

/* Enters a cell in libedit's memory and in the file (mode 0600), unless it is the same as the one
 * before. *path may be NULL; it becomes so as above. */
void history_file_add(History *memory, char **path, const char *cell);

#endif
