/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/magic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompt/magic_files.h"

static void show_help(struct repl *repl, const char *argument);

/* The argument of those that run it as a cell. */
static const char code[] = "CODE";

static const struct {
    const char *name;
    const char *argument; /* its name in the help; NULL: takes none */
    const char *help;
    /* "" where none was given. NULL: it is done over there, by inspection.py, under its name */
    void (*run)(struct repl *repl, const char *argument);
} magics[] = {
    {"down", NULL, "to the frame that the picked one has called", NULL},
    {"edit", "[N]", "edit the last cell, or cell N, and run that", magic_files_edit},
    {"eval", "EXPR", "the value of an expression in the picked frame", NULL},
    {"frame", "[N]", "pick a frame, 0 is the innermost: it becomes _", NULL},
    {"help", NULL, "this list", show_help},
    {"history", "[-n]", "what was typed; -n: with the numbers of the cells", magic_files_history},
    {"locals", NULL, "all variables of the picked frame", NULL},
    {"reconnect", NULL, "a new session, also where the debuggee has hung up", repl_reconnect},
    {"run", "FILE [ARG]...", "run a local file in the debuggee, in this namespace",
     magic_files_run},
    {"save", "[-f] FILE [N|N-M]...", "write cells to a file; -f: one that is there",
     magic_files_save},
    {"show threads", NULL, "the same as %threads", repl_show_stacks},
    {"thread", "[N]", "list the threads, or pick one by its number or ident", NULL},
    {"threads", NULL, "the stacks of all threads", repl_show_stacks},
    {"time", code, "run a cell, and show the CPU and wall time it took", NULL},
    {"up", NULL, "to the frame that has called the picked one", NULL},
    {"who", NULL, "the names that you have made", NULL},
};

/* The columns of a magic and its argument in the help. */
#define WIDTH 15

#define COUNT (sizeof(magics) / sizeof(*magics))

static void explain(size_t i)
{
    char left[64];

    snprintf(left, sizeof(left), "%s%s%s", magics[i].name, magics[i].argument ? " " : "",
             magics[i].argument ? magics[i].argument : "");
    if (strlen(left) > WIDTH)
        printf("  %%%s\n   %-*s %s\n", left, WIDTH, "", magics[i].help);
    else
        printf("  %%%-*s %s\n", WIDTH, left, magics[i].help);
}

static void show_help(struct repl *repl, const char *argument)
{
    size_t i;

    (void)repl;
    (void)argument;
    printf("Python, run in the debuggee; 'modules' is the dictionary of its modules. Ctrl-C\n"
           "interrupts what runs, Ctrl-D leaves. x? says what x is, x?? shows its source as\n"
           "well. And for the prompt itself:\n\n");
    for (i = 0; i < COUNT; i++)
        explain(i);
}

bool magic_is(const char *cell)
{
    return cell[0] == '%' && !strchr(cell, '\n');
}

const char *magic_name(size_t i)
{
    return i < COUNT ? magics[i].name : NULL;
}

/* Passes over the name of a magic, in which there may be more blanks. NULL: it is another one. */
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

/* What comes after the name, without blanks around it, for free(); NULL: it is another line. */
static char *argument_of(const char *line, const char *name)
{
    size_t len;

    line = after_name(line, name);
    if (!line)
        return NULL;
    while (isspace((unsigned char)*line))
        line++;
    len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    return strndup(line, len);
}

const char *magic_code(const char *cell)
{
    char *argument;
    size_t i;

    for (i = 0; i < COUNT; i++) {
        argument = magics[i].argument == code ? argument_of(cell + 1, magics[i].name) : NULL;
        if (!argument)
            continue;
        free(argument);
        cell += 1 + strlen(magics[i].name);
        cell += strspn(cell, " \t");
        return cell[0] != '\0' ? cell : NULL;
    }
    return NULL;
}

static void complain(const char *cell)
{
    fprintf(stderr, "there is no %s: %%help lists what there is\n", cell);
}

void magic_explain(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT; i++) {
        if (strcmp(name + 1, magics[i].name) == 0) {
            explain(i);
            return;
        }
    }
    complain(name);
}

void magic_misused(const char *name, const char *what)
{
    size_t i;

    fprintf(stderr, "%%%s %s", name, what);
    for (i = 0; i < COUNT; i++)
        if (strcmp(magics[i].name, name) == 0 && magics[i].argument)
            fprintf(stderr, ": %%%s %s", name, magics[i].argument);
    fputc('\n', stderr);
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
        else if (magics[i].run)
            magics[i].run(repl, argument);
        else
            repl_inspect(repl, magics[i].name, argument, "");
        free(argument);
        return;
    }
    complain(cell);
}
