/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/fetch: gets the stacks of a process from its server.
 */
#ifndef CLIENT_STACKS_FETCH_H
#define CLIENT_STACKS_FETCH_H

#include <stdbool.h>

#include <rpyc.h>

#include "connect/connect.h"
#include "options.h"
#include "report.h"

struct stacks_wish {
    bool greenlets; /* also get greenlets; this searches all objects of the process */
    bool execute;   /* code may be run in the process; if false, only STACKS and netrefs are used */
    bool locals;    /* get local variables */
    bool others;    /* also read the processes for which threads wait, from outside */
    bool bare;      /* get no greenlets, source lines or repr(); send only request STACKS */
};

/* Returns what the options ask for. */
struct stacks_wish stacks_wish_of(const struct options *options);

/* Connects as connect_server() does, and sends request STACKS directly after the request for the
 * root. A pystuck server answers STACKS even if the process cannot run Python now. In this case,
 * the connection does not have the root of the server yet. */
int stacks_connect(rpyc_conn **out, const struct options *options, const struct stacks_wish *wish,
                   const struct silence *silence, struct rpyc_error *err);

/* Adds the process of the server and the findings about it to the report. Tries these ways until
 * one works:
 *   - request STACKS, which pystuck servers answer. Uses the request that stacks_connect() has
 *     sent, or sends a new one.
 *   - the source of the collector, which is sent to the process and run in it, and leaves
 *     nothing behind in the process
 *   - netrefs, see stacks/by_netrefs.h
 * timeout_ms: how long to wait for the answer to STACKS; 0: the connection's timeout of requests.
 * Returns 0, or -1 with the errors of rpyc_call(). RPYC_EPROTOCOL: the server is not a classic
 * server, or its answer is not a report. */
int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, int timeout_ms,
                 struct report *out, struct rpyc_error *err);

/* Like stacks_fetch(), but opens a new connection and closes it again. Also fails with the errors
 * of connect_server(). */
int stacks_fetch_apart(const struct options *options, const struct stacks_wish *wish,
                       struct report *out, struct rpyc_error *err);

#endif
