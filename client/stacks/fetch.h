/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/fetch: gets the stacks of a process from its server.
 */
#ifndef CLIENT_STACKS_FETCH_H
#define CLIENT_STACKS_FETCH_H

#include <stdbool.h>

#include <rpyc.h>

#include "report.h"

struct stacks_wish {
    bool greenlets; /* also get greenlets: searches all objects of the process */
    bool execute;   /* code may be run in the process; else only netrefs are used */
};

/* Adds the process of the server to the report, in the first of these ways that works:
 *   - request STACKS, which pystuck servers answer
 *   - pystuck/_stacks.py, sent as source and run in the process; nothing of it stays there
 *   - netrefs, see stacks/by_netrefs.h
 * Returns 0, or -1 with the errors of rpyc_call(), or RPYC_EPROTOCOL: the server is not a classic
 * server, or its answer is not a report. */
int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, struct report *out,
                 struct rpyc_error *err);

#endif
