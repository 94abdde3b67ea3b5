/* SPDX-License-Identifier: BSD-3-Clause
 *
 * listing: prints the processes that have a server, so that the user can choose one.
 */
#ifndef CLIENT_CONNECT_LISTING_H
#define CLIENT_CONNECT_LISTING_H

#include <stdio.h>

#include "connect/find.h"

/* Prints a line for each server: pid, start time, address, command line. On a terminal, lines are
 * cut to its width. */
void listing_print(FILE *stream, const struct servers *servers);

/* Prints what_failed (a sentence: nothing listens on the default address) and the command to type
 * instead: the one that connects to the only process that has a server, or that lists the processes
 * if there are several. Returns false and prints nothing if no process has a server. */
bool listing_suggest(FILE *stream, const char *what_failed, const struct servers *servers);

#endif
