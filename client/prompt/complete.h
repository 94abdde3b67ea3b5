/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete: finds completions for the Tab key, and shows them.
 *
 * This file itself finds magics and files, and gets other candidates from a source, such as
 * complete_cells.
 */
#ifndef CLIENT_PROMPT_COMPLETE_H
#define CLIENT_PROMPT_COMPLETE_H

#include <stddef.h>

#include <rpyc.h>

/* The candidates. Initialize with zeros. All texts are UTF-8 without control characters. */
struct completions {
    size_t typed; /* number of characters before the cursor with which each candidate begins */
    char *common; /* the longest common prefix of the candidates; NULL: no candidates */
    char *ending; /* the text to insert after the candidate if there is only one; or NULL */
    size_t total; /* number of candidates */
    char **shown; /* the first candidates */
    size_t count; /* number of items in shown */
};

/* Adds a candidate at the end. Ignores texts that cannot be inserted into a line. */
void completions_add(struct completions *c, const char *text);
/* Call after the last completions_add. total: the number of candidates, which may be larger than
 * the number of candidates that were added. common: the longest common prefix of all candidates.
 * typed and ending: see struct completions. */
void completions_finish(struct completions *c, size_t typed, const char *common, const char *ending,
                        size_t total);

void completions_clear(struct completions *c);

/* Returns the text to insert at the cursor, for free(): the rest of the candidates' common prefix,
 * and the ending if there is only one candidate. NULL: there is nothing to insert. */
char *completions_insertion(const struct completions *c);

/* Prints a table of the candidates. Leaves out candidates that do not fit on a screen of `width`
 * columns and `height` rows. */
void completions_show(const struct completions *c, int width, int height);

/* A source of candidates. */
struct complete_source {
    /* Adds candidates to *out. text is the part of the cell before the cursor, which may have
     * several lines; rest is the text after the cursor. Returns 0, or -1 with err if the connection
     * is lost. If another error occurs, returns 0 without candidates. */
    int (*find)(const void *arg, const char *text, const char *rest, struct completions *out,
                struct rpyc_error *err);
    const void *arg;
};

/* The find function of a source without candidates. */
int complete_nothing(const void *arg, const char *text, const char *rest, struct completions *out,
                     struct rpyc_error *err);

/* Finds magics, files and candidates of the source. Arguments and result are those of a source's
 * find function. *out must be empty. */
int complete_find(const struct complete_source *source, const char *text, const char *rest,
                  struct completions *out, struct rpyc_error *err);

#endif
