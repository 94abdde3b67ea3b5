/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/fetch: gets the stacks of a process from its server.
 */
#ifndef CLIENT_STACKS_FETCH_H
#define CLIENT_STACKS_FETCH_H

#include <stdbool.h>

#include <rpyc.h>

#include "options.h"
#include "report.h"

struct stacks_wish {
    bool greenlets; /* also get greenlets: searches all objects of the process */
    bool execute;   /* code may be run in the process; else only netrefs are used */
    bool bare; /* neither greenlets, source lines nor the repr() of threads; and only by request
                * STACKS */
};

/* Connects as connect_server() does, and sends request STACKS directly behind the request for the
 * root. A pystuck server answers it although the process cannot run Python now: then the connection
 * has no root yet. */
int stacks_connect(rpyc_conn **out, const struct options *options, const struct stacks_wish *wish,
                   struct rpyc_error *err);

/* Adds the process of the server to the report with its findings, in the first of these ways that
 * works:
 *   - request STACKS, which pystuck servers answer: that of stacks_connect(), or a new one
 *   - pystuck/_stacks.py, sent as source and run in the process; nothing of it stays there
 *   - netrefs, see stacks/by_netrefs.h
 * timeout_ms: how long to wait for the answer to STACKS; 0: the timeout of requests. Returns 0, or
 * -1 with the errors of rpyc_call(), or RPYC_EPROTOCOL: the server is not a classic server, or its
 * answer is not a report. */
int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, int timeout_ms,
                 struct report *out, struct rpyc_error *err);

/* The same on a connection of its own. Errors: also those of connect_server(). */
int stacks_fetch_apart(const struct options *options, const struct stacks_wish *wish,
                       struct report *out, struct rpyc_error *err);

#endif
