/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The handlers of the client's requests (rpyc.core.protocol.Connection._handle_*).
 */
#ifndef PS_DISPATCH_H
#define PS_DISPATCH_H

#include "session.h"

/* Runs the handler of a request and writes the reply to out: the box of the result, or an
 * exception. Needs the GIL. Returns 0, or -1 with err if the request is not valid and the
 * connection must be closed.
 *
 * If the request raised KeyboardInterrupt, the exception may be meant for the calling thread. So
 * *interrupt is set to a new reference to the exception, unless interrupt is NULL or *interrupt is
 * set already. If an exception is set on return, it was raised after the reply was written, and is
 * meant only for the calling thread. */
int ps_dispatch(struct ps_session *s, struct message *request, int64_t handler,
                struct outgoing *out, PyObject **interrupt, struct rpyc_error *err);

#endif
