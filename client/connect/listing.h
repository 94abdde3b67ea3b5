/* SPDX-License-Identifier: BSD-3-Clause
 *
 * listing: prints the processes that have a server, so that the user can choose one.
 */
#ifndef CLIENT_CONNECT_LISTING_H
#define CLIENT_CONNECT_LISTING_H

#include <stdio.h>

#include "connect/find.h"

/* Prints a line for each server: pid, start time, address, command line. On a terminal, lines are
 * cut to the width of the terminal. */
void listing_print(FILE *stream, const struct servers *servers);

/* Prints what_failed, a sentence such as "nothing listens on 127.0.0.1:6666", and the command to
 * type instead. If only one process has a server, this is the command that connects to this server.
 * If several processes have servers, this is the command that lists the servers. Returns false and
 * prints nothing if no process has a server. */
bool listing_suggest(FILE *stream, const char *what_failed, const struct servers *servers);

#endif
