/* SPDX-License-Identifier: BSD-3-Clause
 *
 * text: prints text of another process so that it cannot control the terminal.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes len bytes of UTF-8 that another process made. On a terminal, characters that a terminal
 * would act on are escaped (\x1b, \u202e): control characters except newline and tab, characters
 * that change the direction of text, and bytes that are not UTF-8. So the name of a thread, for
 * example, cannot move the cursor. On other streams, writes the text unchanged. Errors: see
 * ferror(). */
void text_print(FILE *stream, const char *text, size_t len);

/* Makes text_print() escape on all streams, as on a terminal. For --color always, whose output is
 * meant to be shown on a terminal later. */
void text_escape_always(bool always);

/* Writes a name within a line: like text_print(), but always escapes, and newlines and tabs too, so
 * that a name cannot look like a line of its own. */
void text_print_name(FILE *stream, const char *text, size_t len);

/* True if text_print() would escape nothing in the text. */
bool text_is_harmless(const char *text);

/* Returns how many of the len bytes fit into that many columns when text_print() writes them to a
 * terminal. The text must have no newlines or tabs. Each character counts as one column. */
size_t text_fitting(const char *text, size_t len, size_t columns);

/* The number of columns of standard output; 80 if it is not a terminal. */
int text_width(void);

/* The number of lines of standard output; 24 if it is not a terminal. */
int text_height(void);

#endif
