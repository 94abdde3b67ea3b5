/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks: what the debuggee's threads are doing.
 */
#ifndef CLIENT_STACKS_H
#define CLIENT_STACKS_H

#include <rpyc.h>

/* Asks the debuggee for the stacks of its threads: through its module pystuck.thread_probe if it
 * has that, else (a stock classic server) by running some Python there that leaves nothing behind.
 *   out  gets a new reference to a str: for each thread its repr() on a line of its own, then its
 *        frames as traceback.format_stack prints them; an empty line between one thread and
 *        the next
 * Errors: those of rpyc_call; RPYC_EPROTOCOL where the other side is no classic service or its
 * stacks are not a str. */
int stacks_fetch(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

#endif
