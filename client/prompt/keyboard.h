/* SPDX-License-Identifier: BSD-3-Clause
 *
 * keyboard: reads the bytes that are typed or pasted at the terminal on standard input. The prompt
 * and input() in a cell get them from here.
 *
 * Call keyboard_drain often: the kernel stores 4 KB, and ignores a Ctrl-C that comes after more
 * than that.
 */
#ifndef CLIENT_PROMPT_KEYBOARD_H
#define CLIENT_PROMPT_KEYBOARD_H

#include <stdbool.h>
#include <sys/types.h>

/* The sequences that a terminal with bracketed paste sends before and after pasted text. */
#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

/* True if a byte was read that keyboard_byte has not returned yet. */
bool keyboard_has_byte(void);

/* Reads what the terminal has, or waits for it. There may still be no byte afterwards: see
 * keyboard_interrupt. False if the terminal is gone, or if terminal_is_signalled. */
bool keyboard_read(void);

/* Returns the next byte that was read; -1 if there is none. */
int keyboard_byte(void);

/* Call this directly after interrupt_take has returned true: drops all input from before the
 * Ctrl-C. Keys that are typed after it are kept.
 *
 * If Ctrl-C was pressed in a paste, the rest of the paste is dropped, too, as it arrives. Where the
 * terminal does not mark pastes, the rest is recognized by its speed: a burst, that is, input
 * without a pause of 30 ms, is dropped if it is longer than 64 bytes, or has text behind a line
 * end, and begins within 500 ms after the Ctrl-C or after the burst that was dropped last; a burst
 * of one line, if it begins within 100 ms. Up to 3 bytes, and text without a line end, are keys. */
void keyboard_interrupt(void);

/* Call this while pasted text is read whose end the terminal marks. */
void keyboard_note_paste(void);

/* Reads and stores what the terminal has, without waiting. */
void keyboard_drain(void);

/* Returns the next line as getline(3) does: its length with the newline, and in *line memory for
 * free(). 0 at the end of the input (Ctrl-D); -1 with EINTR for Ctrl-C, with ENOMEM, or with an
 * error of read(2). Call after terminal_run. */
ssize_t keyboard_line(char **line);

/* Asks the terminal for the column of the cursor. Returns it, counted from 0; -1: no answer. */
int keyboard_cursor_column(void);

#endif
