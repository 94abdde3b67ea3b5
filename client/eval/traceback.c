/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/traceback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char heading[] = "Traceback (most recent call last):\n";

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Returns the start of the next line, or the end of the text. */
static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

/* True if a line of a traceback is about a frame of the server: code of rpyc, of the import system,
 * or of class Modules in run_cell.py. */
static bool is_servers(const char *line)
{
    size_t len = strcspn(line, "\n");
    char text[1024];

    snprintf(text, sizeof(text), "%.*s", (int)len, line);
    return strstr(text, "/rpyc/core/") || strstr(text, "/rpyc/lib/") ||
           strstr(text, "/rpyc/utils/") || strstr(text, "\"<frozen importlib._bootstrap") ||
           strstr(text, "/importlib/__init__.py\"") ||
           (begins(text, "  File \"<string>\", line ") &&
            (strstr(text, ", in __getitem__") || strstr(text, ", in __getattr__")));
}

/* Copies a traceback without the frames of the server. Inserts the text `first` after the last line
 * "Traceback (most recent call last):". */
static void copy_traceback(FILE *out, const char *text, const char *first)
{
    const char *last = NULL, *line, *found;
    bool is_left_out = false;

    for (found = strstr(text, heading); found; found = strstr(found + 1, heading))
        if (found == text || found[-1] == '\n')
            last = found;
    for (line = text; *line; line = next_line(line)) {
        if (begins(line, "  File \""))
            is_left_out = is_servers(line);
        else if (!begins(line, "    "))
            is_left_out = false;
        if (!is_left_out)
            fwrite(line, 1, (size_t)(next_line(line) - line), out);
        if (line == last)
            fputs(first, out);
    }
    if (line > text && line[-1] != '\n')
        fputc('\n', out);
}

/* Returns traceback lines that show the chain as a frame, for free(). NULL: out of memory. */
static char *frame_of(int number, const char *source)
{
    size_t len = strcspn(source, "\n");
    char *frame = NULL;

    if (asprintf(&frame, "  File \"<cell %d>\", line 1, in <module>\n    %.*s\n", number, (int)len,
                 source) < 0)
        return NULL;
    return frame;
}

static void put_failure(FILE *out, const struct rpyc_error *error, const char *first)
{
    const char *traceback = error->remote ? rpyc_exception_traceback(error->remote) : "";

    if (strstr(traceback, heading)) {
        copy_traceback(out, traceback, first);
        return;
    }
    fprintf(out, "%s%s%s%s\n", heading, first, error->remote ? "" : "RuntimeError: ", error->text);
}

rpyc_value *traceback_text(const struct rpyc_error *error, int number, const char *source)
{
    char *first = frame_of(number, source);
    rpyc_value *value = NULL;
    char *text = NULL;
    size_t len = 0;
    FILE *out = first ? open_memstream(&text, &len) : NULL;

    if (out) {
        put_failure(out, error, first);
        if (fclose(out) == 0 && rpyc_build(&value, NULL, "z", text, len) < 0)
            value = NULL;
    }
    free(text);
    free(first);
    return value;
}
