/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The handlers of the client's requests (rpyc.core.protocol.Connection._handle_*).
 */
#ifndef PS_DISPATCH_H
#define PS_DISPATCH_H

#include "session.h"

/* Runs the handler of a request and writes the reply to out: the box of the result, or an
 * exception. Needs the GIL. Returns 0, or -1 with err if the request is broken and the connection
 * must be closed.
 *
 * A KeyboardInterrupt that the request raised may be meant for this thread: unless interrupt is
 * NULL or *interrupt is set already, *interrupt becomes a new reference to it. An exception that is
 * set on return was raised after the reply was written, and is for this thread only. */
int ps_dispatch(struct ps_session *s, struct message *request, int64_t handler,
                struct outgoing *out, PyObject **interrupt, struct rpyc_error *err);

#endif
