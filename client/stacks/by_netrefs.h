/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/by_netrefs: the stacks of a process by its objects alone, without compiling code in it.
 */
#ifndef CLIENT_STACKS_BY_NETREFS_H
#define CLIENT_STACKS_BY_NETREFS_H

#include <rpyc.h>

#include "report.h"

/* Adds the process at the other end to a report, with its threads. Takes several requests for each
 * thread, between which they go on. Greenlets are not found. Errors: those of rpyc_call;
 * AttributeError where the service gives no modules; RPYC_EPROTOCOL for an answer that is not what
 * Python gives. */
int stacks_by_netrefs(rpyc_conn *conn, struct report *out, struct rpyc_error *err);

#endif
