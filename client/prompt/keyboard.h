/* SPDX-License-Identifier: BSD-3-Clause
 *
 * keyboard: reads the bytes that are typed or pasted at the terminal on standard input. The prompt,
 * and input() in a cell, read these bytes with the functions below.
 *
 * Call keyboard_drain often. The kernel stores only 4 KB of input. While this store is full, the
 * kernel ignores Ctrl-C.
 */
#ifndef CLIENT_PROMPT_KEYBOARD_H
#define CLIENT_PROMPT_KEYBOARD_H

#include <stdbool.h>
#include <sys/types.h>

/* The sequences that a terminal with bracketed paste sends before and after pasted text. */
#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

/* True if keyboard_byte() has a byte to return. */
bool keyboard_has_byte(void);

/* Reads the bytes that the terminal has. If the terminal has no bytes, waits for some. After the
 * call there may still be no byte, because bytes may be dropped, see keyboard_interrupt. Returns
 * false if the terminal is gone, or if a signal has arrived, see terminal_is_signalled. */
bool keyboard_read(void);

/* Returns the next byte that was read; -1 if there is no such byte. */
int keyboard_byte(void);

/* Call this directly after interrupt_take has returned true. Drops all input from before the
 * Ctrl-C, and keeps keys that are typed after it.
 *
 * If Ctrl-C was pressed during a paste, also drops the rest of the paste when it arrives. If the
 * terminal does not mark pastes, the rest is recognized by its speed. A burst is input without a
 * pause of 30 ms. A burst is dropped if it begins soon after the Ctrl-C, or soon after the last
 * burst that was dropped:
 *   - within 500 ms, if the burst is longer than 64 bytes, or has text after a line end
 *   - within 100 ms, if the burst is one line with its line end
 * Other bursts, and all bursts of up to 3 bytes, count as keys and are kept. */
void keyboard_interrupt(void);

/* Call this before each byte is read from a paste whose end the terminal marks. */
void keyboard_note_paste(void);

/* Reads and stores the bytes that the terminal has, without waiting. */
void keyboard_drain(void);

/* Returns the next line as getline(3) does: its length with the newline, and in *line memory for
 * free(). Returns 0 at the end of the input (Ctrl-D). Returns -1 with errno: EINTR if Ctrl-C was
 * pressed, ENOMEM, or an error of read(2). Call after terminal_run. */
ssize_t keyboard_line(char **line);

/* Asks the terminal for the column of the cursor, and returns it, counted from 0. -1: no answer. */
int keyboard_cursor_column(void);

#endif
