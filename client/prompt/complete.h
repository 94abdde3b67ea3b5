/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete: what could be typed next, at the prompt.
 *
 * Magics and files are known here; all else comes from a source, such as the namespace of cells.
 */
#ifndef CLIENT_PROMPT_COMPLETE_H
#define CLIENT_PROMPT_COMPLETE_H

#include <stddef.h>

#include "eval/cell.h"

/* Candidates. Starts as zeros; texts are UTF-8 without control characters. */
struct completions {
    size_t typed; /* how many characters before the cursor are the beginning of each */
    char *common; /* what all begin with; NULL: there are none */
    char *ending; /* what comes after one that is the only one, or NULL */
    size_t total; /* how many there are, */
    char **shown; /* ... and the first of them */
    size_t count; /* how many those are */
};

/* Adds a candidate, after the others in their order; leaves it out if it cannot be typed. */
void completions_add(struct completions *c, const char *text);
void completions_clear(struct completions *c);

/* What goes on with what is typed, as far as that is certain, for free(); NULL where it is not. */
char *completions_insertion(const struct completions *c);

/* Prints them in columns, as many as a screen of that size has place for above the line. */
void completions_show(const struct completions *c, int width, int height);

/* Where candidates come from. */
struct complete_source {
    /* Those that may follow text, which is all of the cell up to the cursor, and may have several
     * lines; rest is what is right of it. -1 with err where the connection is lost; whatever else
     * goes wrong means that there are none. */
    int (*find)(const void *arg, const char *text, const char *rest, struct completions *out,
                struct rpyc_error *err);
    const void *arg;
};

/* Finds candidates, as a source does; out is empty before. */
int complete_find(const struct complete_source *source, const char *text, const char *rest,
                  struct completions *out, struct rpyc_error *err);

/* The source for cells: waits for the debuggee, but not for long, and Ctrl-C, which is taken, ends
 * that. */
struct complete_cells {
    struct cells *cells; /* or NULL: there are no candidates */
    rpyc_conn *conn;
};
int complete_in_cells(const void *arg, const char *text, const char *rest, struct completions *out,
                      struct rpyc_error *err);

#endif
