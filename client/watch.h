/* SPDX-License-Identifier: BSD-3-Clause
 *
 * watch: --watch, which prints the stacks again and again.
 */
#ifndef CLIENT_WATCH_H
#define CLIENT_WATCH_H

#include <rpyc.h>

#include "options.h"

/* Prints the time as a heading and calls show(conn, options), every options->watch_ms. Sets
 * options->seen, with which the stacks are marked that have not moved, and the format of the
 * output. Returns the first exit status of show() that is not EXIT_SUCCESS, or -1: no memory. */
int watch(struct options *options, int (*show)(rpyc_conn **conn, const struct options *options),
          rpyc_conn **conn);

#endif
