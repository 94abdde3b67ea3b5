/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Serves a request that needs Python.
 *
 * A thread that asks for the GIL cannot stop waiting for it. So STACKS, and GETROOT on a session's
 * own thread, run on the helper (gil_helper). All other requests wait for the helper while a thread
 * is known to keep the GIL. Meanwhile the session's thread reads on: it notices that the client
 * hangs up, answers STACKS from the stack reader, and queues all other requests.
 *
 * A request may also block the session's thread later, or while no thread is known to keep the GIL.
 * After PS_TIMER_MS, another thread reads for the session's thread in the same way. So STACKS is
 * always answered.
 */
#ifndef PS_RUN_REQUEST_H
#define PS_RUN_REQUEST_H

#include "conn.h"
#include "session.h"

/* Returns the deadline for sending a reply. On a thread of the session, there is no deadline. A
 * thread of the program serves requests while it waits for the client. On such a thread, the result
 * is the deadline of that wait, but at least 2 s and at most 30 s from now. */
deadline_t ps_reply_deadline(const struct ps_session *s);

/* Serves a request. Call without the GIL, between ps_session_begin_request and
 * ps_session_end_request. Returns 0, or -1 with err if the connection must be closed. */
int ps_run_request(struct ps_session *s, struct conn *c, struct message *request, int64_t handler,
                   struct rpyc_error *err);

/* Waits until the GIL is available, and does not take it. Call on the session's own thread, before
 * the first request. Returns false if the client hangs up meanwhile. */
bool ps_await_gil(struct ps_session *s);

#endif
