/* SPDX-License-Identifier: BSD-3-Clause
 *
 * history: the cells that were typed, in $XDG_STATE_HOME/pystuck/history, for libedit.
 *
 * One cell a line, its own newlines as "\n" and backslashes doubled. Each one is appended as it is
 * entered, so that several prompts at once do not lose each other's.
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include <histedit.h>

/* How many cells are kept. */
#define HISTORY_MAX 10000

/* Where it is: a path for free(), its directory made if need be, or NULL if there is no place for
 * it: no home directory, or one that cannot be written to. */
char *history_path(void);

/* Reads the file into libedit's memory, and shortens it if it has become too long. A file that
 * cannot be read is none. */
void history_load(History *memory, const char *path);

/* Enters a cell in libedit's memory and in the file (mode 0600), unless it is the same as the one
 * before. path may be NULL. What cannot be written is lost. */
void history_add(History *memory, const char *path, const char *cell);

#endif
