/* SPDX-License-Identifier: BSD-3-Clause
 *
 * evaluator: evaluates the input of the user on one connection. The client evaluates a chain itself
 * (proxy.h). Other Python runs in the debuggee as a cell (cell.h). Chains and cells share one
 * namespace and one numbering.
 *
 * If the service or the user does not allow code in the debuggee, only chains and a few statements
 * work.
 */
#ifndef CLIENT_EVAL_EVALUATOR_H
#define CLIENT_EVAL_EVALUATOR_H

#include "eval/cell.h"

struct proxies;
struct evaluator;

/* Creates an evaluator. Borrows conn, copies *io.
 *   may_execute  false: run no code in the debuggee, even if the service allows it
 * Errors: those of the connection; out of memory. */
int evaluator_open(struct evaluator **out, rpyc_conn *conn, const struct cell_io *io,
                   bool may_execute, struct rpyc_error *err);
void evaluator_close(struct evaluator *evaluator);

/* Returns the cells of the connection. NULL: the evaluator runs no code in the debuggee. */
struct cells *evaluator_cells(struct evaluator *evaluator);

/* Returns the names that chains can use. */
struct proxies *evaluator_proxies(struct evaluator *evaluator);

/* Evaluates source. Arguments, result and errors are those of cells_run. If evaluator_cells() is
 * NULL, source may only be a chain, an assignment, del or import, and an interruption ends the wait
 * at once with RPYC_ECANCELED. */
int evaluator_run(struct evaluator *evaluator, const char *source, int width, enum cell_mode mode,
                  const struct cell_interrupt *interrupt, struct cell_result *result,
                  struct rpyc_error *err);

/* Returns the number of the next cell. The first cell is 0. */
int evaluator_number(const struct evaluator *evaluator);

#endif
