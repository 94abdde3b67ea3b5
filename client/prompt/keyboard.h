/* SPDX-License-Identifier: BSD-3-Clause
 *
 * keyboard: what is typed or pasted, from the terminal on standard input to who wants it: the
 * prompt, or input() in a cell.
 *
 * It is read from the kernel as soon as it is there: the kernel keeps 4 KB, and does not look at a
 * Ctrl-C that comes after more than that.
 */
#ifndef CLIENT_PROMPT_KEYBOARD_H
#define CLIENT_PROMPT_KEYBOARD_H

#include <stdbool.h>
#include <sys/types.h>

/* What terminals with bracketed paste send around what is pasted. */
#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

/* True if keyboard_byte returns at once. */
bool keyboard_has_byte(void);

/* The next byte; if there is none, waits for it. -1 at the end: the terminal is gone. */
int keyboard_byte(void);

/* Call this as soon as interrupt_take has told of a Ctrl-C: drops all that was typed before it, and
 * if text is being pasted, the rest of it. What is typed after the Ctrl-C is kept. */
void keyboard_interrupt(void);

/* Tells that what comes now is pasted, and that the terminal marks its end. */
void keyboard_note_paste(void);

/* Reads what the terminal has while a cell runs, for later. */
void keyboard_drain(void);

/* The next line, with its newline, as getline(3): *line is for free(). 0 at the end of the input
 * (Ctrl-D); -1 with EINTR for Ctrl-C, with ENOMEM, or with an error of read(2). For terminal_run.
 */
ssize_t keyboard_line(char **line);

/* Asks the terminal for the column of the cursor, from 0. -1: it does not tell. */
int keyboard_cursor_column(void);

#endif
