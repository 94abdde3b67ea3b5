/* SPDX-License-Identifier: BSD-3-Clause
 *
 * history_file: keeps typed cells in $XDG_STATE_HOME/pystuck/history, and gives them to libedit.
 *
 * Each line of the file is one cell, with newlines as "\n" and backslashes doubled. Each cell is
 * appended when it is typed, so that several prompts can use the file at the same time.
 */
#ifndef CLIENT_PROMPT_HISTORY_FILE_H
#define CLIENT_PROMPT_HISTORY_FILE_H

#include <histedit.h>

/* The most cells in the history. */
#define HISTORY_FILE_MAX 10000

/* Returns the path of the file, for free(). If there is no home directory, prints a line on stderr
 * and returns NULL. */
char *history_file_path(void);

/* Reads the file into libedit's history, and shortens the file if it is too long. Creates the file
 * and its directory if they do not exist. If the file or the directory does not belong to the user
 * (see file.h), or if another process holds the lock for 200 ms, prints the reason on stderr, frees
 * *path and sets it to NULL. */
void history_file_load(History *memory, char **path);

/* Adds a cell to libedit's history and to the file (mode 0600), unless it equals the latest cell of
 * libedit's history. If *path is NULL, adds the cell only to libedit's history. Errors are handled
 * as in history_file_load(). */
void history_file_add(History *memory, char **path, const char *cell);

#endif
