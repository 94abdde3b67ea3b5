/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete_cells: candidates for the Tab key. Gets the candidates by calling completion.py in the
 * debuggee.
 */
#ifndef CLIENT_PROMPT_COMPLETE_CELLS_H
#define CLIENT_PROMPT_COMPLETE_CELLS_H

#include "eval/cell.h"
#include "prompt/complete.h"

/* The argument of complete_cells_find. */
struct complete_cells {
    struct cells *cells;
    rpyc_conn *conn;
};

/* A find function, see struct complete_source. Waits at most about a second. Ctrl-C ends the wait
 * and is consumed. */
int complete_cells_find(const void *arg, const char *text, const char *rest,
                        struct completions *out, struct rpyc_error *err);

#endif
