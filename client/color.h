/* SPDX-License-Identifier: BSD-3-Clause
 *
 * color: decides whether output has colours, and which ones.
 *
 * Print the text of another process with text_print(), between color_begin() and color_end().
 * text_print() escapes control characters, so that such text cannot change the colours.
 */
#ifndef CLIENT_COLOR_H
#define CLIENT_COLOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The value of an option: not given, yes or no. */
enum choice { CHOICE_DEFAULT, CHOICE_YES, CHOICE_NO };

/* Chooses when colours are used. CHOICE_YES: always, also in files and pipes. CHOICE_NO: never.
 * CHOICE_DEFAULT: on a terminal, unless NO_COLOR is set and not empty, or TERM is "dumb". */
void color_choose(enum choice choice);

/* True if output to this stream has colours. */
bool color_is_on(FILE *stream);

enum color { COLOR_IN, COLOR_OUT, COLOR_TITLE, COLOR_ERROR };

/* Return the escape sequences that begin and end a colour; "" if the stream has no colours. */
const char *color_begin(FILE *stream, enum color color);
const char *color_end(FILE *stream);

/* Prints the len bytes of a traceback or another error message that another process made. Prints
 * the last line of this text in COLOR_ERROR. */
void color_print_failure(FILE *stream, const char *text, size_t len);

#endif
