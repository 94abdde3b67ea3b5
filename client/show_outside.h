/* SPDX-License-Identifier: BSD-3-Clause
 *
 * show_outside: prints the stacks of a process that has no server, or whose server does not answer.
 */
#ifndef CLIENT_SHOW_OUTSIDE_H
#define CLIENT_SHOW_OUTSIDE_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/types.h>

#include "options.h"
#include "stacks/outside.h"

/* Call if the connection to the server of the process pid failed with *err, or if the connection
 * still waits; then err is NULL. Reads the stacks from outside, and prints them, if the process
 * has no server, if its server does not answer, or if root has refused the server because of its
 * user. Sets *status to the exit status. Returns false if nothing was printed. */
bool show_outside(const struct options *options, pid_t pid, const struct rpyc_error *err,
                  int *status);

/* Returns the exit status for a process that could not be read. */
int show_outside_failure(const struct outside *outside);

#endif
