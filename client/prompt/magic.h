/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic: the table of magics, that is, of commands to the prompt that begin with %. The files that
 * implement magics register their rows.
 */
#ifndef CLIENT_PROMPT_MAGIC_H
#define CLIENT_PROMPT_MAGIC_H

#include <stdbool.h>
#include <stddef.h>

#include "queue.h"

struct shell;

/* The kind of argument that a magic takes, for Tab and the history. */
enum magic_argument {
    MAGIC_TEXT,
    MAGIC_CODE, /* Python that is run as a cell */
    MAGIC_FILE  /* the name of a local file */
};

/* A row of the table. */
struct magic {
    const char *name;      /* without the % */
    const char *arguments; /* in the help; NULL: takes no argument */
    const char *help;      /* one line */
    /* argument: the text behind the name, without blanks around it; "" if there is none. */
    void (*run)(struct shell *shell, const struct magic *magic, const char *argument);
    enum magic_argument takes;
    SLIST_ENTRY(magic) next; /* used by the table */
};

/* A row: its name, arguments, help and function; behind them `.takes = ...` if it does not take
 * MAGIC_TEXT. */
#define MAGIC(name_, arguments_, help_, run_, ...)                                                 \
    {                                                                                              \
        .name = (name_), .arguments = (arguments_), .help = (help_), .run = (run_), __VA_ARGS__    \
    }

/* Adds rows to the table, which is sorted by name. The rows must be static. */
void magic_register(struct magic *rows, size_t count);

/* The row behind this one; the first row for NULL; NULL behind the last row. */
const struct magic *magic_next(const struct magic *magic);

/* Finds the magic of a line that begins with %. NULL: there is none. */
const struct magic *magic_find(const char *line);

/* True if a cell is a line that begins with %. */
bool magic_is(const char *cell);

/* Runs such a line, or prints why it cannot. */
void magic_run(struct shell *shell, const char *line);

/* The Python code in such a line; NULL: none. */
const char *magic_code(const char *line);

/* Prints that a name, such as "%run", is unknown. */
void magic_unknown(const char *name);

/* Prints what is wrong with an argument, and the usage: "%run needs a file: %run FILE [ARG]...". */
void magic_misused(const struct magic *magic, const char *what);

#endif
