/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_history: what was typed since the prompt has opened, with the numbers of the cells.
 */
#ifndef CLIENT_PROMPT_CELL_HISTORY_H
#define CLIENT_PROMPT_CELL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cell_history_entry;

/* Zeroed, an empty one. */
struct cell_history {
    struct cell_history_entry *entries;
    size_t len;
};

/* For number: it was no cell. */
#define CELL_HISTORY_NO_CELL (-1)

/* Enters what was typed, and the Python in it, or NULL if there is none; both are copied. What does
 * not fit into memory is left out. */
void cell_history_add(struct cell_history *journal, const char *typed, const char *code,
                      int number);
void cell_history_clear(struct cell_history *journal);

/* The Python of the latest cell of this number, or of the latest one of all for
 * CELL_HISTORY_NO_CELL; NULL: there is none. */
const char *cell_history_code(const struct cell_history *journal, int number);

/* Prints it on standard output, the numbers in front if they are wanted. */
void cell_history_show(const struct cell_history *journal, bool with_numbers);

/* Cells, by their numbers. */
struct cell_history_range {
    int first, last;
};

/* The first of these that there is not; CELL_HISTORY_NO_CELL: none is missing. */
int cell_history_missing(const struct cell_history *journal,
                         const struct cell_history_range *cells);

/* Writes these cells, or all that was run for NULL, as a script: the latest of each number, in the
 * order in which they were typed, magics that were cells as comments. Returns how many have Python.
 */
size_t cell_history_write(const struct cell_history *journal,
                          const struct cell_history_range *cells, FILE *file);

#endif
