/* SPDX-License-Identifier: BSD-3-Clause
 *
 * text: what another process made, printed so that it does no harm.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes len bytes of UTF-8 that another process made. On a terminal, or for one (that is what
 * colours are for), what a terminal would act on and not show comes out as \x1b or \u202e: control
 * characters other than newline and tab, those that turn the direction of text, bytes that are no
 * UTF-8. What is in a thread's name must not move the cursor, or worse. Elsewhere the text stays
 * what it is. Errors: see ferror. */
void text_print(FILE *stream, const char *text, size_t len);

/* Makes text_print escape on every stream, as on a terminal: with --color always, the output is
 * meant for a terminal that shows it later. */
void text_escape_always(bool always);

/* The same for a name within a line: newlines and tabs are escaped too, and all of it also where
 * the stream is no terminal, so that no name makes a line of its own. */
void text_print_name(FILE *stream, const char *text, size_t len);

/* Whether there is nothing in a text that text_print would write otherwise. */
bool text_is_harmless(const char *text);

/* How many of len bytes of UTF-8, which have no newline or tab, text_print can write to a terminal
 * before it has filled that many columns. A character counts as one column wide. */
size_t text_fitting(const char *text, size_t len, size_t columns);

/* How many columns standard output has; 80 where it is no terminal. */
int text_width(void);

/* How many lines; 24 where it is no terminal. */
int text_height(void);

#endif
