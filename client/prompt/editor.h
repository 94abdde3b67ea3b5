/* SPDX-License-Identifier: BSD-3-Clause
 *
 * editor: reads lines from the terminal with libedit, which has its own keys, ~/.editrc and a
 * history.
 *
 * While the user types, the editor can watch a file descriptor. Text that is printed while the user
 * types appears above the line.
 */
#ifndef CLIENT_PROMPT_EDITOR_H
#define CLIENT_PROMPT_EDITOR_H

#include <stdbool.h>

struct editor;

/* A file descriptor that is watched while the editor waits for a key. */
struct editor_watch {
    int (*fd)(void *arg); /* returns the descriptor to poll for input; -1: none */
    /* Called when the descriptor is readable. May print after a call of editor_leave_line. Returns
     * true to be called again at once, because there may be more input that poll() does not report.
     */
    bool (*ready)(void *arg);
    void *arg;
};

/* Sets up the terminal on standard input and output. Copies *watch. Returns NULL and sets *why to
 * the reason if there is no libedit, if libedit cannot use the terminal, or if there is no memory.
 */
struct editor *editor_open(const struct editor_watch *watch, const char **why);
void editor_close(struct editor *e);

/* A function that is called for Tab with the text of the line before and after the cursor. Returns
 * the text to insert at the cursor, for free(), or NULL. May print after a call of editor_go_below
 * or editor_leave_line. */
typedef char *(*editor_complete_fn)(void *arg, const char *before, const char *after);
void editor_complete_by(struct editor *e, editor_complete_fn complete, void *arg);

enum editor_result {
    EDITOR_LINE,        /* *line: the typed or pasted text without its last newline, for free() */
    EDITOR_INTERRUPTED, /* Ctrl-C */
    EDITOR_END          /* Ctrl-D on an empty line, or the terminal is gone */
};

/* Put this before and after each part of the prompt that takes no columns, such as a colour
 * sequence. */
#define EDITOR_HIDDEN "\1"

/* Reads a line. The text at `prompt` is read each time that the line is shown, so this text may
 * change while the user types. The prompt must not end with a hidden part. */
enum editor_result editor_read(struct editor *e, const char *prompt, char **line);

/* Adds a cell to libedit's history and to the history file. */
void editor_remember(struct editor *e, const char *cell);

/* Removes the line that the user is typing from the screen, so that text can be printed. The editor
 * shows the line again below that text. */
void editor_leave_line(struct editor *e);

/* Moves the cursor below the line that the user is typing. This line stays on the screen, and the
 * editor shows it again below the text that is printed after this call. Only an editor_complete_fn
 * may call this function. */
void editor_go_below(struct editor *e);

#endif
