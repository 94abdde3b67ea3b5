/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cell_history: what was typed since the prompt was opened, with the numbers of the cells.
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

/* As a number: the line was not a cell. */
#define CELL_HISTORY_NO_CELL (-1)

/* Adds a typed line or cell. code: the Python in it; NULL: none. Copies both. Adds nothing if
 * memory is short. */
void cell_history_add(struct cell_history *history, const char *typed, const char *code,
                      int number);
void cell_history_clear(struct cell_history *history);

/* The Python of the latest cell with this number; for CELL_HISTORY_NO_CELL, of the latest cell.
 * NULL: there is none. */
const char *cell_history_code(const struct cell_history *history, int number);

/* Prints the history on standard output. with_numbers: with the number of each cell. */
void cell_history_show(const struct cell_history *history, bool with_numbers);

/* The cells with numbers from first to last. */
struct cell_history_range {
    int first, last;
};

/* The first number in the range without a cell; CELL_HISTORY_NO_CELL if none is missing. */
int cell_history_missing(const struct cell_history *history,
                         const struct cell_history_range *cells);

/* Writes the cells of a range to a file as a script, the latest with each number, in the order in
 * which they were typed; for NULL, all cells. Cells without Python, such as %run, become comments.
 * Returns the number of cells with Python. */
size_t cell_history_write(const struct cell_history *history,
                          const struct cell_history_range *cells, FILE *file);

#endif
