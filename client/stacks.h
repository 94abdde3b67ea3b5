/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks: what the debuggee's threads are doing.
 */
#ifndef CLIENT_STACKS_H
#define CLIENT_STACKS_H

#include <stdbool.h>

#include <rpyc.h>

struct stacks_wish {
    bool greenlets; /* those of greenlets, too: all objects are looked through for them */
    bool execute;   /* code may be run over there; else netrefs are all that is used */
    bool json;      /* one JSON document, see doc/stacks.schema.json, and not as text */
};

/* Asks the debuggee for the stacks of its threads: as text through its module pystuck.thread_probe
 * if it has that, else by running some Python there that leaves nothing behind (stacks.py), or on
 * netrefs (walk.h) where no code is run there. JSON takes code.
 *   out  gets a new reference to a str. As text: for each thread its repr() on a line of its own,
 *        then its frames as traceback.format_stack prints them; an empty line between one thread
 *        and the next
 * Errors: those of rpyc_call; RPYC_EPROTOCOL where the other side is no classic service or its
 * stacks are not a str. */
int stacks_fetch(rpyc_conn *conn, const struct stacks_wish *wish, rpyc_value **out,
                 struct rpyc_error *err);

#endif
