/* SPDX-License-Identifier: BSD-3-Clause
 *
 * journal: what was typed since the prompt has opened, with the numbers of the cells.
 */
#ifndef CLIENT_JOURNAL_H
#define CLIENT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct journal_entry;

/* Zeroed, an empty one. */
struct journal {
    struct journal_entry *entries;
    size_t len;
};

/* For number: it was no cell. */
#define JOURNAL_NO_CELL (-1)

/* Enters what was typed, and the Python in it, or NULL if there is none; both are copied. What does
 * not fit into memory is left out. */
void journal_add(struct journal *journal, const char *typed, const char *code, int number);
void journal_clear(struct journal *journal);

/* The Python of the latest cell of this number, or of the latest one of all for JOURNAL_NO_CELL;
 * NULL: there is none. */
const char *journal_code(const struct journal *journal, int number);

/* Prints it on standard output, the numbers in front if they are wanted. */
void journal_show(const struct journal *journal, bool with_numbers);

/* Cells, by their numbers. */
struct journal_cells {
    int first, last;
};

/* The first of these that there is not; JOURNAL_NO_CELL: none is missing. */
int journal_missing(const struct journal *journal, const struct journal_cells *cells);

/* Writes these cells, or all that was run for NULL, as a script: the latest of each number, in the
 * order in which they were typed, magics that were cells as comments. Returns how many have Python.
 */
size_t journal_write(const struct journal *journal, const struct journal_cells *cells, FILE *file);

#endif
