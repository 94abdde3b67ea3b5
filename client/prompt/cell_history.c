/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/cell_history.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

struct cell_history_entry {
    char *typed;
    char *code; /* the Python code in it; NULL: it has none */
    int number; /* number of the cell, or CELL_HISTORY_NO_CELL */
};

void cell_history_add(struct cell_history *j, const char *typed, const char *code, int number)
{
    struct cell_history_entry *longer = reallocarray(j->entries, j->len + 1, sizeof(*longer));
    struct cell_history_entry entry = {strdup(typed), code ? strdup(code) : NULL, number};

    if (longer)
        j->entries = longer;
    if (longer && entry.typed && (entry.code || !code)) {
        j->entries[j->len++] = entry;
        return;
    }
    free(entry.typed);
    free(entry.code);
}

void cell_history_clear(struct cell_history *j)
{
    size_t i;

    for (i = 0; i < j->len; i++) {
        free(j->entries[i].typed);
        free(j->entries[i].code);
    }
    free(j->entries);
    *j = (struct cell_history){0};
}

const char *cell_history_code(const struct cell_history *j, int number)
{
    const struct cell_history_entry *entry;
    size_t i;

    for (i = j->len; i > 0; i--) {
        entry = &j->entries[i - 1];
        if (entry->code && (number == CELL_HISTORY_NO_CELL || entry->number == number))
            return entry->code;
    }
    return NULL;
}

/* Prints an entry with its number. Indents the second line of the entry and all lines after it. */
static void show_with_number(const struct cell_history_entry *entry)
{
    const char *line = entry->typed;
    size_t len;

    if (entry->number == CELL_HISTORY_NO_CELL)
        printf("      ");
    else
        printf("%4d: ", entry->number);
    for (;;) {
        len = strcspn(line, "\n");
        text_print(stdout, line, len);
        putchar('\n');
        if (line[len] == '\0')
            return;
        line += len + 1;
        printf("      ");
    }
}

void cell_history_show(const struct cell_history *j, bool with_numbers)
{
    size_t i;

    for (i = 0; i < j->len; i++) {
        if (with_numbers) {
            show_with_number(&j->entries[i]);
        } else {
            text_print(stdout, j->entries[i].typed, strlen(j->entries[i].typed));
            putchar('\n');
        }
    }
}

/* True if an entry at index `from` or later has this number. */
static bool has_cell(const struct cell_history *j, size_t from, int number)
{
    size_t i;

    for (i = from; i < j->len; i++)
        if (j->entries[i].number == number)
            return true;
    return false;
}

/* True if cell_history_write() must write entry i. If cells is not NULL: true if the number of the
 * entry is in the range *cells and no later entry has the same number. If cells is NULL: true if
 * the entry is a cell or has Python code. */
static bool is_among(const struct cell_history *j, size_t i, const struct cell_history_range *cells)
{
    const struct cell_history_entry *entry = &j->entries[i];

    if (!cells)
        return entry->code || entry->number != CELL_HISTORY_NO_CELL;
    return entry->number >= cells->first && entry->number <= cells->last &&
           !has_cell(j, i + 1, entry->number);
}

int cell_history_missing(const struct cell_history *j, const struct cell_history_range *cells)
{
    int number;

    for (number = cells->first; number <= cells->last; number++)
        if (!has_cell(j, 0, number))
            return number;
    return CELL_HISTORY_NO_CELL;
}

size_t cell_history_write(const struct cell_history *j, const struct cell_history_range *cells,
                          FILE *file)
{
    size_t i, count = 0;

    for (i = 0; i < j->len; i++) {
        if (!is_among(j, i, cells))
            continue;
        if (j->entries[i].code)
            fprintf(file, "%s\n", j->entries[i].code);
        else
            fprintf(file, "# %s\n", j->entries[i].typed);
        count += j->entries[i].code != NULL;
    }
    return count;
}
