/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompt/inspection.h"
#include "prompt/magic.h"

/* ---- %help ----------------------------------------------------------------------------------- */

/* The width of a magic and its arguments in the list, in columns. */
#define WIDTH 15

/* Prints a magic, its arguments and its help. */
static void explain(const struct magic *magic)
{
    char left[64];

    snprintf(left, sizeof(left), "%s%s%s", magic->name, magic->arguments ? " " : "",
             magic->arguments ? magic->arguments : "");
    if (strlen(left) > WIDTH)
        printf("  %%%s\n   %-*s %s\n", left, WIDTH, "", magic->help);
    else
        printf("  %%%-*s %s\n", WIDTH, left, magic->help);
}

static void show_list(struct shell *shell, const struct magic *self, const char *argument)
{
    const struct magic *magic;

    (void)shell;
    (void)self;
    (void)argument;
    printf("Type Python to run it in the program; 'modules' contains the program's modules.\n"
           "Ctrl-C interrupts the running code, Ctrl-D exits. Type x? to see what x is, x??\n"
           "to see the source of x, too. Commands of the prompt:\n\n");
    for (magic = magic_next(NULL); magic; magic = magic_next(magic))
        explain(magic);
}

static struct magic magics[] = {
    MAGIC("help", NULL, "show this list", show_list),
};

void help_register(void)
{
    magic_register(magics, sizeof(magics) / sizeof(*magics));
}

/* Prints the help of the magic with this name, such as "%run". */
static void explain_name(const char *name)
{
    const struct magic *magic = magic_find(name);

    if (magic)
        explain(magic);
    else
        magic_unknown(name);
}

/* ---- x? -------------------------------------------------------------------------------------- */

/* A piece of a text. */
struct piece {
    const char *start;
    size_t len;
};

static struct piece trimmed(struct piece p)
{
    static const char blanks[] = " \t";

    while (p.len > 0 && strchr(blanks, p.start[0])) {
        p.start++;
        p.len--;
    }
    while (p.len > 0 && strchr(blanks, p.start[p.len - 1]))
        p.len--;
    return p;
}

/* Returns the end of the string literal whose first quote is at p. NULL: the line ends inside the
 * literal. */
static const char *after_string(const char *p)
{
    const char quote = *p;
    size_t quotes = p[1] == quote && p[2] == quote ? 3 : 1, seen = 0;

    if (quotes == 1 && p[1] == quote)
        return p + 2;
    for (p += quotes; *p && seen < quotes; p++) {
        seen = *p == quote ? seen + 1 : 0;
        if (*p == '\\' && p[1])
            p++;
    }
    return seen == quotes ? p : NULL;
}

/* True if the last character of a line is not in a comment or a string. */
static bool ends_in_code(const char *line)
{
    while (line && *line) {
        if (*line == '#')
            return false;
        line = *line == '"' || *line == '\'' ? after_string(line) : line + 1;
    }
    return line;
}

/* Removes up to two question marks from the start or the end. Returns the number of question marks
 * that were removed. */
static int take_marks(struct piece *p, bool at_the_end)
{
    int marks = 0;

    while (marks < 2 && p->len > 0 && p->start[at_the_end ? p->len - 1 : 0] == '?') {
        p->start += !at_the_end;
        p->len--;
        marks++;
    }
    return marks;
}

/* Returns the number of question marks before or after the text of a cell. Returns 0 if the cell is
 * not a question. *what: the text without these question marks. Question marks in strings and
 * comments do not count. Python code has no other question marks. */
static int question(const char *cell, struct piece *what)
{
    int before, after;

    *what = trimmed((struct piece){cell, strlen(cell)});
    if (strchr(cell, '\n'))
        return 0;
    before = take_marks(what, false);
    after = before == 0 && ends_in_code(cell) ? take_marks(what, true) : 0;
    *what = trimmed(*what);
    /* `%run file?` is not a question. */
    if (what->len > 0 && what->start[0] == '%' && memchr(what->start, ' ', what->len))
        return 0;
    return before + after;
}

bool help_is_asked(const char *cell)
{
    struct piece what;

    return question(cell, &what) > 0;
}

void help_show(struct shell *shell, const char *cell)
{
    struct piece what;
    int marks = question(cell, &what);
    char *text = strndup(what.start, what.len);

    if (text && text[0] == '\0')
        magic_run(shell, "%help");
    else if (text && text[0] == '%')
        explain_name(text);
    else if (text)
        inspection_call(shell, marks > 1 ? "source" : "object", text, "");
    free(text);
}
