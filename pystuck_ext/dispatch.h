/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The handlers: what each request of the client does (rpyc.core.protocol.Connection._handle_*).
 */
#ifndef PS_DISPATCH_H
#define PS_DISPATCH_H

#include "session.h"

/* Carries out a request and writes the answer, the result's box or the exception, to out. -1 with
 * err when the request was so broken that the connection has to end. Needs the GIL. interrupt: if
 * not NULL, gets a new reference to a KeyboardInterrupt that came meanwhile and is meant for this
 * thread as well. An exception that is set at the end came when the answer was written already, and
 * is this thread's alone. */
int ps_dispatch(struct ps_session *s, struct message *request, int64_t handler,
                struct outgoing *out, PyObject **interrupt, struct rpyc_error *err);

#endif
