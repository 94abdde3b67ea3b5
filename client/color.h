/* SPDX-License-Identifier: BSD-3-Clause
 *
 * color: what is printed in colours, and whether it is.
 *
 * They are ours alone: what another process made goes through text_print between them.
 */
#ifndef CLIENT_COLOR_H
#define CLIENT_COLOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A choice that the command line may leave to the client. */
enum choice { CHOICE_DEFAULT, CHOICE_YES, CHOICE_NO };

/* Chooses when colours are used. CHOICE_YES: always, also in files and pipes. CHOICE_NO: never.
 * CHOICE_DEFAULT: on a terminal, unless NO_COLOR is set and not empty, or TERM is "dumb". */
void color_choose(enum choice choice);

/* Whether a stream gets colours. */
bool color_is_on(FILE *stream);

enum color { COLOR_IN, COLOR_OUT, COLOR_TITLE, COLOR_ERROR };

/* The escape sequences where the stream gets colours, else "". */
const char *color_begin(FILE *stream, enum color color);
const char *color_end(FILE *stream);

/* Prints a traceback, or any message of an error, that another process made, with its last line in
 * colour. */
void color_print_failure(FILE *stream, const char *text, size_t len);

#endif
