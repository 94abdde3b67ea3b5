/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/by_netrefs: collects the stacks of a process with netrefs, without sending Python code to
 * this process.
 */
#ifndef CLIENT_STACKS_BY_NETREFS_H
#define CLIENT_STACKS_BY_NETREFS_H

#include <rpyc.h>

#include "report.h"

/* Adds the process of the server and its threads to a report. Sends several requests for each
 * thread, while the threads continue to run. Does not find greenlets. Does not call the program's
 * own __repr__ methods and does not read source lines, because both might block the connection.
 * Returns 0, or -1 with the errors of rpyc_call(): AttributeError if the service has no modules,
 * RPYC_EPROTOCOL if an answer has an unexpected type. */
int stacks_by_netrefs(rpyc_conn *conn, struct report *out, struct rpyc_error *err);

#endif
