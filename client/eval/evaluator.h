/* SPDX-License-Identifier: BSD-3-Clause
 *
 * evaluator: what is typed or given, evaluated on one connection: by proxies where it is a chain,
 * in the debuggee where it is more. One namespace, one numbering, one history of values for both.
 *
 * A service that runs no code, or a user who wants none run, gets chains alone.
 */
#ifndef CLIENT_EVAL_EVALUATOR_H
#define CLIENT_EVAL_EVALUATOR_H

#include "eval/cell.h"

struct proxies;
struct evaluator;

/* Starts one. conn is borrowed, io is copied.
 *   may_execute  code may be run over there; a service that has no execute goes without
 * Errors: those of the connection; out of memory. */
int evaluator_open(struct evaluator **out, rpyc_conn *conn, const struct cell_io *io,
                   bool may_execute, struct rpyc_error *err);
void evaluator_close(struct evaluator *session);

/* Its cells; NULL where no code is run over there. */
struct cells *evaluator_cells(struct evaluator *session);

/* The chains' names. */
struct proxies *evaluator_proxies(struct evaluator *session);

/* As cells_run. Without cells it is chains and what netrefs can do beside, and an interruption
 * gives up at once. */
int evaluator_run(struct evaluator *session, const char *source, int width, enum cell_mode mode,
                  const struct cell_interrupt *interrupt, struct cell_result *result,
                  struct rpyc_error *err);

/* The number of the next cell, from 0. */
int evaluator_number(const struct evaluator *session);

#endif
