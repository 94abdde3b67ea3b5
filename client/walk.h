/* SPDX-License-Identifier: BSD-3-Clause
 *
 * walk: the stacks of threads where no code is run over there, thread by thread on netrefs.
 */
#ifndef CLIENT_WALK_H
#define CLIENT_WALK_H

#include <rpyc.h>

/* As stacks_fetch has them as text, without greenlets. The thread that serves us is left out.
 * Errors: those of rpyc_call. */
int walk_stacks(rpyc_conn *conn, rpyc_value **out, struct rpyc_error *err);

#endif
