/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete: finds completions for the Tab key, and shows them.
 *
 * This file knows magics and files. Other candidates come from a source, such as complete_cells.
 */
#ifndef CLIENT_PROMPT_COMPLETE_H
#define CLIENT_PROMPT_COMPLETE_H

#include <stddef.h>

#include <rpyc.h>

/* The candidates. Initialize with zeros. All texts are UTF-8 without control characters. */
struct completions {
    size_t typed; /* number of characters before the cursor with which each candidate begins */
    char *common; /* the longest common prefix of the candidates; NULL: there are none */
    char *ending; /* the text to insert behind the candidate if there is only one; or NULL */
    size_t total; /* number of candidates */
    char **shown; /* the first of them */
    size_t count; /* number of items in shown */
};

/* Adds a candidate behind the others. Ignores it if it cannot be inserted into a line. */
void completions_add(struct completions *c, const char *text);
/* Call after the last completions_add. total: the number of candidates, of which only the first may
 * have been added; common: their longest common prefix. typed and ending: see struct completions.
 */
void completions_finish(struct completions *c, size_t typed, const char *common, const char *ending,
                        size_t total);

void completions_clear(struct completions *c);

/* The text to insert at the cursor, for free(): what is common to all candidates. NULL: nothing. */
char *completions_insertion(const struct completions *c);

/* Prints the candidates in columns, as many as fit on a screen of this size. */
void completions_show(const struct completions *c, int width, int height);

/* A source of candidates. */
struct complete_source {
    /* Adds candidates that may follow text. text is the cell up to the cursor and may have several
     * lines; rest is the text behind the cursor. Returns -1 with err if the connection is lost.
     * After other errors there are no candidates. */
    int (*find)(const void *arg, const char *text, const char *rest, struct completions *out,
                struct rpyc_error *err);
    const void *arg;
};

/* The find function of a source without candidates. */
int complete_nothing(const void *arg, const char *text, const char *rest, struct completions *out,
                     struct rpyc_error *err);

/* Finds candidates. Arguments and result are those of a source's find function; out is empty. */
int complete_find(const struct complete_source *source, const char *text, const char *rest,
                  struct completions *out, struct rpyc_error *err);

#endif
