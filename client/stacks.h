/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks: what the debuggee's threads are doing, fetched and printed.
 */
#ifndef CLIENT_STACKS_H
#define CLIENT_STACKS_H

#include <stdio.h>

#include <rpyc.h>

/* Asks the debuggee for the stacks of its threads: through its module pystuck.thread_probe if it
 * has that, else (a stock classic server) by running some Python there that leaves nothing behind.
 *   out  gets a new reference to a str: for each thread its repr() on a line of its own, then its
 *        frames as traceback.format_stack prints them; an empty line between one thread and
 *        the next
 * Errors: those of rpyc_call; RPYC_EPROTOCOL where the other side is no classic service or its
 * stacks are not a str. */
int stacks_fetch(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

/* Writes len bytes of UTF-8 that another process made. On a terminal, control characters other than
 * newline and tab come out as \x1b and the like: what is in a thread's name must not move the
 * cursor, or worse. Elsewhere the text stays what it is. Errors: see ferror. */
void text_print(FILE *stream, const char *text, size_t len);

#endif
