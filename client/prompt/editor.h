/* SPDX-License-Identifier: BSD-3-Clause
 *
 * editor: lines that are typed at the terminal, with libedit: its keys, its ~/.editrc, a history.
 *
 * While somebody types, something else may be watched: its output goes above the line.
 */
#ifndef CLIENT_PROMPT_EDITOR_H
#define CLIENT_PROMPT_EDITOR_H

#include <stdbool.h>

struct editor;

/* What else is watched while the editor waits for a key. */
struct editor_watch {
    int (*fd)(void *arg); /* to be polled for input; -1: none */
    /* It is readable; may print, having called editor_leave_line. True: to be called again, for
     * there may be more that poll does not tell of. */
    bool (*ready)(void *arg);
    void *arg;
};

/* Takes over the terminal on standard input and output. NULL where libedit cannot. watch is
 * copied. */
struct editor *editor_open(const struct editor_watch *watch);
void editor_close(struct editor *e);

/* What Tab does: returns what is to be inserted at the cursor, for free(), or NULL for nothing. May
 * print, having called editor_go_below, or editor_leave_line. Both are parts of the line. */
typedef char *(*editor_complete_fn)(void *arg, const char *before, const char *after);
void editor_complete_by(struct editor *e, editor_complete_fn complete, void *arg);

enum editor_result {
    EDITOR_LINE, /* *line is what was typed, or pasted, for free(), without its last newline */
    EDITOR_INTERRUPTED, /* Ctrl-C */
    EDITOR_END          /* Ctrl-D on an empty line, or the terminal is gone */
};

/* Around what is sent to the terminal with the prompt and takes no room there. */
#define EDITOR_HIDDEN "\1"

/* prompt is looked at whenever the line is shown, and does not end in what is hidden. */
enum editor_result editor_read(struct editor *e, const char *prompt, char **line);

/* Enters a cell in the history. */
void editor_remember(struct editor *e, const char *cell);

/* Moves below the line that is being typed, if one is: it is shown anew after what is printed. */
void editor_leave_line(struct editor *e);

/* The same, but leaves the line as it is on the screen: for editor_complete_fn. */
void editor_go_below(struct editor *e);

#endif
