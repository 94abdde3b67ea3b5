/* SPDX-License-Identifier: BSD-3-Clause
 *
 * session: what is typed or given, evaluated on one connection: by proxies where it is a chain, in
 * the debuggee where it is more. One namespace, one numbering, one history of values for both.
 *
 * A service that runs no code, or a user who wants none run, gets chains alone.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "cell.h"

struct proxies;
struct session;

/* Starts one. conn is borrowed, io is copied.
 *   may_execute  code may be run over there; a service that has no execute goes without
 * Errors: those of the connection; out of memory. */
int session_open(struct session **out, rpyc_conn *conn, const struct cell_io *io, bool may_execute,
                 struct rpyc_error *err);
void session_close(struct session *session);

/* Its cells; NULL where no code is run over there. */
struct cells *session_cells(struct session *session);

/* The chains' names. */
struct proxies *session_proxies(struct session *session);

/* As cells_run. Without cells it is chains and what netrefs can do beside, and an interruption
 * gives up at once. */
int session_run(struct session *session, const char *source, int width, enum cell_mode mode,
                const struct cell_interrupt *interrupt, struct cell_result *result,
                struct rpyc_error *err);

/* The number of the next cell, from 0. */
int session_number(const struct session *session);

#endif
