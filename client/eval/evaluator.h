/* SPDX-License-Identifier: BSD-3-Clause
 *
 * evaluator: evaluates what the user types or passes, on one connection: a chain in the client
 * (proxy.h), other Python in the debuggee (cell.h). Both share one namespace and one numbering.
 *
 * If the service or the user allows no code in the debuggee, only chains and a few statements work.
 */
#ifndef CLIENT_EVAL_EVALUATOR_H
#define CLIENT_EVAL_EVALUATOR_H

#include "eval/cell.h"

struct proxies;
struct evaluator;

/* conn is borrowed, io is copied.
 *   may_execute  false: run no code in the debuggee, although the service may have execute
 * Errors: those of the connection; out of memory. */
int evaluator_open(struct evaluator **out, rpyc_conn *conn, const struct cell_io *io,
                   bool may_execute, struct rpyc_error *err);
void evaluator_close(struct evaluator *evaluator);

/* The cells; NULL if no code is run in the debuggee. */
struct cells *evaluator_cells(struct evaluator *evaluator);

/* The names that chains can use. */
struct proxies *evaluator_proxies(struct evaluator *evaluator);

/* As cells_run. Without cells, source may be a chain, an assignment, del or import, and an
 * interruption stops waiting at once (RPYC_ECANCELED). */
int evaluator_run(struct evaluator *evaluator, const char *source, int width, enum cell_mode mode,
                  const struct cell_interrupt *interrupt, struct cell_result *result,
                  struct rpyc_error *err);

/* The number of the next cell, from 0. */
int evaluator_number(const struct evaluator *evaluator);

#endif
