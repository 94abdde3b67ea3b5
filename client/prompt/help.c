/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/help.h"

#include <stdlib.h>
#include <string.h>

#include "prompt/magic.h"

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

/* Passes over a string literal, whose quote p is at. NULL: the line ends within it. */
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

/* Whether the last character of a line is Python's, and not in a comment or a string. */
static bool ends_in_code(const char *line)
{
    while (line && *line) {
        if (*line == '#')
            return false;
        line = *line == '"' || *line == '\'' ? after_string(line) : line + 1;
    }
    return line;
}

/* Takes up to two question marks off one end. How many that were. */
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

/* What a cell asks about, and with how many question marks: 0 if it does not. Python has no use for
 * them outside of strings and comments. */
static int question(const char *cell, struct piece *what)
{
    int before, after;

    *what = trimmed((struct piece){cell, strlen(cell)});
    if (strchr(cell, '\n'))
        return 0;
    before = take_marks(what, false);
    after = before == 0 && ends_in_code(cell) ? take_marks(what, true) : 0;
    *what = trimmed(*what);
    /* `%run file?` is for %run. */
    if (what->len > 0 && what->start[0] == '%' && memchr(what->start, ' ', what->len))
        return 0;
    return before + after;
}

bool help_is_asked(const char *cell)
{
    struct piece what;

    return question(cell, &what) > 0;
}

void help_show(struct repl *repl, const char *cell)
{
    struct piece what;
    int marks = question(cell, &what);
    char *text = strndup(what.start, what.len);

    if (text && text[0] == '\0')
        magic_run(repl, "%help");
    else if (text && text[0] == '%')
        magic_explain(text);
    else if (text)
        repl_inspect(repl, marks > 1 ? "source" : "object", text, "");
    free(text);
}
