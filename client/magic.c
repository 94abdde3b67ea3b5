/* SPDX-License-Identifier: BSD-3-Clause */
#include "magic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show_help(struct repl *repl, const char *argument);

static const struct {
    const char *name;
    const char *argument; /* its name in the help; NULL: takes none */
    const char *help;
    void (*run)(struct repl *repl, const char *argument); /* "" where none was given */
} magics[] = {
    {"help", NULL, "this list", show_help},
    {"history", NULL, "the cells of this session", repl_show_history},
    {"reconnect", NULL, "a new session, also where the debuggee has hung up", repl_reconnect},
    {"show threads", NULL, "the same as %threads", repl_show_stacks},
    {"threads", NULL, "the stacks of all threads", repl_show_stacks},
};

#define COUNT (sizeof(magics) / sizeof(*magics))

static void show_help(struct repl *repl, const char *argument)
{
    char left[64];
    size_t i;

    (void)repl;
    (void)argument;
    printf("Python, run in the debuggee; 'modules' is the dictionary of its modules. Ctrl-C\n"
           "interrupts what runs, Ctrl-D leaves. And for the prompt itself:\n\n");
    for (i = 0; i < COUNT; i++) {
        snprintf(left, sizeof(left), "%s%s%s", magics[i].name, magics[i].argument ? " " : "",
                 magics[i].argument ? magics[i].argument : "");
        printf("  %%%-14s %s\n", left, magics[i].help);
    }
}

bool magic_is(const char *cell)
{
    return cell[0] == '%' && !strchr(cell, '\n');
}

const char *magic_name(size_t i)
{
    return i < COUNT ? magics[i].name : NULL;
}

/* What comes after the name, without blanks around it, for free(); NULL: it is another line. */
static char *argument_of(const char *line, const char *name)
{
    size_t n = strlen(name);
    size_t len;

    if (strncmp(line, name, n) != 0 || (line[n] != '\0' && !isspace((unsigned char)line[n])))
        return NULL;
    line += n;
    while (isspace((unsigned char)*line))
        line++;
    len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    return strndup(line, len);
}

void magic_run(struct repl *repl, const char *cell)
{
    char *argument;
    size_t i;

    for (i = 0; i < COUNT; i++) {
        argument = argument_of(cell + 1, magics[i].name);
        if (!argument)
            continue;
        if (!magics[i].argument && *argument)
            fprintf(stderr, "%%%s takes no argument\n", magics[i].name);
        else
            magics[i].run(repl, argument);
        free(argument);
        return;
    }
    fprintf(stderr, "there is no %s: %%help lists what there is\n", cell);
}
