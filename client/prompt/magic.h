/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic: the table of magics. A magic is a command to the prompt that begins with %. The files that
 * implement magics add them to the table.
 */
#ifndef CLIENT_PROMPT_MAGIC_H
#define CLIENT_PROMPT_MAGIC_H

#include <stdbool.h>
#include <stddef.h>

#include "queue.h"

struct shell;

/* The kind of argument that a magic takes. The kind decides what Tab completes, and whether the
 * history contains the argument as code. */
enum magic_argument {
    MAGIC_TEXT,
    MAGIC_CODE, /* Python that is run as a cell */
    MAGIC_FILE  /* the name of a local file */
};

/* A magic, as a row of the table. */
struct magic {
    const char *name;      /* without the % */
    const char *arguments; /* the arguments in the help; NULL: the magic takes none */
    const char *help;      /* one line of help */
    /* Runs the magic. argument: the text after the name, without blanks at both ends; "" if there
     * is no argument. */
    void (*run)(struct shell *shell, const struct magic *magic, const char *argument);
    enum magic_argument takes;
    SLIST_ENTRY(magic) next; /* used by the table */
};

/* Initialises a row with a name, arguments, help and function. If the magic does not take
 * MAGIC_TEXT, add `.takes = ...` as the last argument. */
#define MAGIC(name_, arguments_, help_, run_, ...)                                                 \
    {                                                                                              \
        .name = (name_), .arguments = (arguments_), .help = (help_), .run = (run_), __VA_ARGS__    \
    }

/* Adds rows to the table, which is kept sorted by name. The rows must be static. Rows that are in
 * the table already are not added again. This function may be called more than once, because a
 * process may open several prompts, one after the other. */
void magic_register(struct magic *rows, size_t count);

/* Returns the row after `magic`, or the first row if magic is NULL. NULL: there are no more rows.
 */
const struct magic *magic_next(const struct magic *magic);

/* Returns the magic that a line names. The line must begin with %. NULL: there is no such magic. */
const struct magic *magic_find(const char *line);

/* True if a cell is a single line that begins with %. */
bool magic_is(const char *cell);

/* Runs the magic that a line names, or prints why this is not possible. The line must begin with %.
 */
void magic_run(struct shell *shell, const char *line);

/* Returns the Python code in a line that begins with %. NULL: the line has no code. */
const char *magic_code(const char *line);

/* Prints that a name, such as "%run", is unknown. */
void magic_unknown(const char *name);

/* Prints what is wrong with an argument, and the usage: "%run needs a file: %run FILE [ARG]...". */
void magic_misused(const struct magic *magic, const char *what);

#endif
