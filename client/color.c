/* SPDX-License-Identifier: BSD-3-Clause */
#include "color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static enum choice chosen;

void color_choose(enum choice choice)
{
    chosen = choice;
    text_escape_always(choice == CHOICE_YES);
}

static bool is_wanted(void)
{
    const char *no_color = getenv("NO_COLOR"); /* see https://no-color.org */
    const char *term = getenv("TERM");

    return !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

bool color_is_on(FILE *stream)
{
    if (chosen != CHOICE_DEFAULT)
        return chosen == CHOICE_YES;
    return isatty(fileno(stream)) && is_wanted();
}

const char *color_begin(FILE *stream, enum color color)
{
    static const char *const sequences[] = {
        [COLOR_IN] = "\033[32m",    /* green, as in IPython */
        [COLOR_OUT] = "\033[31m",   /* red */
        [COLOR_TITLE] = "\033[1m",  /* bold */
        [COLOR_ERROR] = "\033[31m", /* red */
    };

    return color_is_on(stream) ? sequences[color] : "";
}

const char *color_end(FILE *stream)
{
    return color_is_on(stream) ? "\033[0m" : "";
}

static void print_in(FILE *stream, enum color color, const char *text, size_t len)
{
    fputs(color_begin(stream, color), stream);
    text_print(stream, text, len);
    fputs(color_end(stream), stream);
}

void color_print_failure(FILE *stream, const char *text, size_t len)
{
    size_t end = len, start;

    while (end > 0 && text[end - 1] == '\n')
        end--;
    for (start = end; start > 0 && text[start - 1] != '\n'; start--)
        ;
    text_print(stream, text, start);
    if (end > start)
        print_in(stream, COLOR_ERROR, text + start, end - start);
    text_print(stream, text + end, len - end);
}
