/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/fetch: asks a server for the stacks of its process.
 */
#ifndef CLIENT_STACKS_FETCH_H
#define CLIENT_STACKS_FETCH_H

#include <stdbool.h>

#include <rpyc.h>

#include "report.h"

struct stacks_wish {
    bool greenlets; /* also those of greenlets: all objects are looked through for them */
    bool execute;   /* code may be run in the program; else only netrefs are used */
};

/* Adds the process at the other end to a report, by the first of these that works: request STACKS,
 * which pystuck's own servers answer; pystuck/_stacks.py, sent as source and run there, which
 * leaves nothing behind; netrefs (stacks/by_netrefs.h). out  a report, which gets one more process
 * Errors: those of rpyc_call; RPYC_EPROTOCOL where the other side is not a classic server, or where
 * its answer is not a report. */
int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, struct report *out,
                 struct rpyc_error *err);

#endif
