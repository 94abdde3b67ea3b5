/* SPDX-License-Identifier: BSD-3-Clause
 *
 * editor: reads lines from the terminal with libedit: its keys, ~/.editrc, and a history.
 *
 * While the user types, the editor can watch a file descriptor. Its output goes above the line.
 */
#ifndef CLIENT_PROMPT_EDITOR_H
#define CLIENT_PROMPT_EDITOR_H

#include <stdbool.h>

struct editor;

/* A file descriptor that is watched while the editor waits for a key. */
struct editor_watch {
    int (*fd)(void *arg); /* returns the descriptor to poll for input; -1: none */
    /* Called when it is readable. May print after a call of editor_leave_line. Returns true to be
     * called again at once: there may be more input that poll does not report. */
    bool (*ready)(void *arg);
    void *arg;
};

/* Sets up the terminal on standard input and output, and copies watch. NULL if libedit fails. */
struct editor *editor_open(const struct editor_watch *watch);
void editor_close(struct editor *e);

/* Called for Tab, with the text of the line before and after the cursor. Returns the text to insert
 * at the cursor, for free(), or NULL. May print after a call of editor_go_below or
 * editor_leave_line. */
typedef char *(*editor_complete_fn)(void *arg, const char *before, const char *after);
void editor_complete_by(struct editor *e, editor_complete_fn complete, void *arg);

enum editor_result {
    EDITOR_LINE, /* *line is the typed or pasted text, for free(), without its last newline */
    EDITOR_INTERRUPTED, /* Ctrl-C */
    EDITOR_END          /* Ctrl-D on an empty line, or the terminal is gone */
};

/* Put this before and after parts of the prompt that take no columns, such as colour sequences. */
#define EDITOR_HIDDEN "\1"

/* Reads a line. prompt is read whenever the line is shown; it must not end with a hidden part. */
enum editor_result editor_read(struct editor *e, const char *prompt, char **line);

/* Adds a cell to the history. */
void editor_remember(struct editor *e, const char *cell);

/* Removes the line that is typed from the screen, so that text can be printed. The line is shown
 * again below that text. */
void editor_leave_line(struct editor *e);

/* Moves the cursor below the typed line, which stays on the screen. The line is shown again below
 * the text that is printed then. For editor_complete_fn. */
void editor_go_below(struct editor *e);

#endif
