/* SPDX-License-Identifier: BSD-3-Clause
 *
 * listing: prints the processes that have a server, for the user to choose one.
 */
#ifndef CLIENT_CONNECT_LISTING_H
#define CLIENT_CONNECT_LISTING_H

#include <stdio.h>

#include "connect/find.h"

/* Prints a line for each server: pid, start time, address, command line. On a terminal, lines are
 * cut to its width. */
void listing_print(FILE *stream, const struct servers *servers);

/* Prints that nothing listens on the default address (what_failed), and the command that connects
 * to the servers that were found. Returns false and prints nothing if there are none. */
bool listing_suggest(FILE *stream, const char *what_failed, const struct servers *servers);

#endif
