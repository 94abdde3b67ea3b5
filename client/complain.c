/* SPDX-License-Identifier: BSD-3-Clause */
#include "complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "text.h"

/* Prints a line on stderr. put: text_print, or text_print_name for a line that must not break. */
static void put_line(void (*put)(FILE *stream, const char *text, size_t len), const char *line)
{
    fprintf(stderr, "%spystuck: ", color_begin(stderr, COLOR_ERROR));
    put(stderr, line, strlen(line));
    fprintf(stderr, "%s\n", color_end(stderr));
}

void complain(const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    put_line(text_print, line);
}

void complain_name(const char *line)
{
    put_line(text_print_name, line);
}

int complain_failure(const char *doing, const struct rpyc_error *err)
{
    const char *traceback;

    complain("%s%s", doing, err->text);
    if (!err->remote)
        return EXIT_FAILURE;
    traceback = rpyc_exception_traceback(err->remote);
    color_print_failure(stderr, traceback, strlen(traceback));
    if (*traceback && traceback[strlen(traceback) - 1] != '\n')
        fputc('\n', stderr);
    return EXIT_FAILURE;
}

int complain_unless_flushed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}
