/* SPDX-License-Identifier: BSD-3-Clause
 *
 * listing: which processes can be looked into, for the user to choose one.
 */
#ifndef CLIENT_CONNECT_LISTING_H
#define CLIENT_CONNECT_LISTING_H

#include <stdio.h>

#include "connect/find.h"

/* Prints a line for each server: pid, since when, address, command line. On a terminal a line is
 * cut where its width ends. */
void listing_print(FILE *stream, const struct servers *servers);

/* Where nothing listens at the default address: says so, and which command finds those that are
 * there. False, and nothing said: there are none. */
bool listing_suggest(FILE *stream, const char *what_failed, const struct servers *servers);

#endif
