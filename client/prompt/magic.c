/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/magic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SLIST_HEAD(, magic) magics = SLIST_HEAD_INITIALIZER(magics);

static void add(struct magic *row)
{
    struct magic *before = NULL, *each;

    SLIST_FOREACH (each, &magics, next) {
        if (each == row)
            return;
        if (strcmp(each->name, row->name) < 0)
            before = each;
    }
    if (before)
        SLIST_INSERT_AFTER(before, row, next);
    else
        SLIST_INSERT_HEAD(&magics, row, next);
}

void magic_register(struct magic *rows, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        add(&rows[i]);
}

const struct magic *magic_next(const struct magic *magic)
{
    return magic ? SLIST_NEXT(magic, next) : SLIST_FIRST(&magics);
}

bool magic_is(const char *cell)
{
    return cell[0] == '%' && !strchr(cell, '\n');
}

/* If the line begins with `name`, the name of a magic, returns the rest of the line, else NULL. A
 * blank in the name matches one or more blanks. */
static const char *after_name(const char *line, const char *name)
{
    for (; *name; name++) {
        if (*line++ != *name)
            return NULL;
        if (*name == ' ')
            line += strspn(line, " \t");
    }
    return *line == '\0' || isspace((unsigned char)*line) ? line : NULL;
}

const struct magic *magic_find(const char *line)
{
    const struct magic *each;

    SLIST_FOREACH (each, &magics, next)
        if (after_name(line + 1, each->name))
            return each;
    return NULL;
}

/* Returns the text after the name, without blanks at both ends, for free(). NULL: out of memory. */
static char *argument_of(const char *line, const struct magic *magic)
{
    size_t len;

    line = after_name(line + 1, magic->name);
    while (isspace((unsigned char)*line))
        line++;
    len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    return strndup(line, len);
}

const char *magic_code(const char *line)
{
    const struct magic *magic = magic_find(line);
    const char *code;

    if (!magic || magic->takes != MAGIC_CODE)
        return NULL;
    code = after_name(line + 1, magic->name);
    code += strspn(code, " \t");
    return code[0] != '\0' ? code : NULL;
}

void magic_unknown(const char *name)
{
    fprintf(stderr, "unknown command %s: type %%help for a list\n", name);
}

void magic_misused(const struct magic *magic, const char *what)
{
    fprintf(stderr, "%%%s %s", magic->name, what);
    if (magic->arguments)
        fprintf(stderr, ": %%%s %s", magic->name, magic->arguments);
    fputc('\n', stderr);
}

void magic_run(struct shell *shell, const char *line)
{
    const struct magic *magic = magic_find(line);
    char *argument;

    if (!magic) {
        magic_unknown(line);
        return;
    }
    argument = argument_of(line, magic);
    if (!argument)
        return;
    if (!magic->arguments && *argument)
        magic_misused(magic, "takes no argument");
    else
        magic->run(shell, magic, argument);
    free(argument);
}
