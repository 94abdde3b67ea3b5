/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Serves a request that needs Python.
 *
 * A thread that asks for the GIL cannot stop waiting for it. So on a session's own thread, GETROOT
 * and STACKS run on the helper (gil_helper), and all requests wait for the helper while it is known
 * that a thread keeps the GIL. Meanwhile the session's thread reads on: it notices that the client
 * hangs up, answers STACKS from the stack reader, and queues all other requests.
 */
#ifndef PS_RUN_REQUEST_H
#define PS_RUN_REQUEST_H

#include "conn.h"
#include "session.h"

/* The deadline for sending a reply: none on a thread of the session, else the deadline of the
 * thread's wait, within limits. */
deadline_t ps_reply_deadline(const struct ps_session *s);

/* Serves a request. Call without the GIL, between ps_session_begin_request and
 * ps_session_end_request. -1: the connection must be closed. */
int ps_run_request(struct ps_session *s, struct conn *c, struct message *request, int64_t handler,
                   struct rpyc_error *err);

/* Waits until the GIL was available, on the session's own thread, before the first request. Returns
 * false if the client hangs up. */
bool ps_await_gil(struct ps_session *s);

#endif
