/* SPDX-License-Identifier: BSD-3-Clause */
#include "magic.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void show_help(struct repl *repl);

static const struct {
    const char *name;
    const char *help;
    void (*run)(struct repl *repl);
} magics[] = {
    {"help", "this list", show_help},
    {"history", "the cells of this session", repl_show_history},
    {"reconnect", "a new session, also where the debuggee has hung up", repl_reconnect},
    {"show threads", "the same as %threads", repl_show_stacks},
    {"threads", "the stacks of all threads", repl_show_stacks},
};

#define COUNT (sizeof(magics) / sizeof(*magics))

static void show_help(struct repl *repl)
{
    size_t i;

    (void)repl;
    printf("Python, run in the debuggee; 'modules' is the dictionary of its modules. Ctrl-C\n"
           "interrupts what runs, Ctrl-D leaves. And for the prompt itself:\n\n");
    for (i = 0; i < COUNT; i++)
        printf("  %%%-14s %s\n", magics[i].name, magics[i].help);
}

bool magic_is(const char *cell)
{
    return cell[0] == '%' && !strchr(cell, '\n');
}

/* Whether a line is the name, and nothing else but blanks. */
static bool is_named(const char *line, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(line, name, n) != 0)
        return false;
    while (isspace((unsigned char)line[n]))
        n++;
    return line[n] == '\0';
}

void magic_run(struct repl *repl, const char *cell)
{
    size_t i;

    for (i = 0; i < COUNT; i++) {
        if (is_named(cell + 1, magics[i].name)) {
            magics[i].run(repl);
            return;
        }
    }
    fprintf(stderr, "there is no %s: %%help lists what there is\n", cell);
}
