/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_history: the lines and cells that were typed since the prompt was opened, with the numbers
 * of the cells.
 */
#ifndef CLIENT_PROMPT_CELL_HISTORY_H
#define CLIENT_PROMPT_CELL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cell_history_entry;

/* Initialize with zeros. */
struct cell_history {
    struct cell_history_entry *entries;
    size_t len;
};

/* The number of an entry that is not a cell, such as a magic. */
#define CELL_HISTORY_NO_CELL (-1)

/* Adds a typed line or cell. code: the Python code in the line or cell; NULL: there is no code.
 * number: the number of the cell, or CELL_HISTORY_NO_CELL. Copies both texts. If there is no
 * memory, adds nothing. */
void cell_history_add(struct cell_history *history, const char *typed, const char *code,
                      int number);
void cell_history_clear(struct cell_history *history);

/* Returns the Python code of the latest cell with this number. If number is CELL_HISTORY_NO_CELL,
 * returns the code of the latest cell of all. NULL: there is no such cell. */
const char *cell_history_code(const struct cell_history *history, int number);

/* Prints the history on standard output. with_numbers: prints each cell's number before it. */
void cell_history_show(const struct cell_history *history, bool with_numbers);

/* The cells whose numbers are first to last. */
struct cell_history_range {
    int first, last;
};

/* Returns the first number in the range that no cell has. CELL_HISTORY_NO_CELL: no number is
 * missing. */
int cell_history_missing(const struct cell_history *history,
                         const struct cell_history_range *cells);

/* Writes the cells of a range to a file as a script, in the order in which they were typed. If
 * several cells have the same number, writes only the latest of them. If cells is NULL, writes all
 * cells. A cell without Python code, such as %run, becomes a comment. Returns the number of cells
 * with Python code. */
size_t cell_history_write(const struct cell_history *history,
                          const struct cell_history_range *cells, FILE *file);

#endif
