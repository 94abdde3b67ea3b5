/* SPDX-License-Identifier: BSD-3-Clause
 *
 * text: prints text of another process so that it cannot control the terminal.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes len bytes of text that another process made, normally UTF-8. On a terminal, escapes (\x1b,
 * \u202e) the characters that a terminal would obey, so that the name of a thread, for example,
 * cannot move the cursor. The escaped characters are control characters except newline and tab,
 * characters that change the direction of text, and bytes that are not UTF-8. On other streams,
 * writes the text unchanged. Errors: see ferror(). */
void text_print(FILE *stream, const char *text, size_t len);

/* If always is true, text_print() escapes on all streams from now on, as it does on a terminal.
 * This is for --color always, whose output is meant to be shown on a terminal later. */
void text_escape_always(bool always);

/* Writes a name that is part of a line. Like text_print(), but escapes on all streams, and also
 * escapes newlines and tabs, so that a name cannot look like a line of its own. */
void text_print_name(FILE *stream, const char *text, size_t len);

/* True if the text contains nothing that text_print() would escape. */
bool text_is_harmless(const char *text);

/* Returns how many of the len bytes fit into the given number of columns when text_print_name()
 * writes them. A character counts as one column. An escaped character counts as the columns of its
 * escape sequence. */
size_t text_fitting(const char *text, size_t len, size_t columns);

/* Returns the number of columns of standard output; 80 if standard output is not a terminal. */
int text_width(void);

/* Returns the number of lines of standard output; 24 if standard output is not a terminal. */
int text_height(void);

#endif
