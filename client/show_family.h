/* SPDX-License-Identifier: BSD-3-Clause
 *
 * show_family: --subprocesses.
 */
#ifndef CLIENT_SHOW_FAMILY_H
#define CLIENT_SHOW_FAMILY_H

#include "options.h"

/* For --subprocesses: prints the stacks of a process and of its descendants. Returns the exit
 * status. If the process itself could not be read, although it may run Python, the exit status is
 * the result of show_outside_failure(). Otherwise, the exit status is the highest of these:
 * EXIT_FAILURE if a descendant that runs Python could not be read, and the statuses that --check
 * has found. */
int show_family(const struct options *options);

#endif
