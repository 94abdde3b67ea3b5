/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests to the client. Any thread that has the GIL may send requests. While the thread waits for
 * the reply, the GIL is released, and requests of the client are served.
 */
#ifndef PS_CALL_H
#define PS_CALL_H

#include "session.h"

/* Sends a request with a tuple of arguments and waits for the reply until ps_session_deadline().
 * Returns the result, a new reference. Returns NULL with an exception: the exception that the
 * client raised, EOFError if the connection has ended, TimeoutError, or an exception that a signal
 * handler raised. */
PyObject *ps_request(struct ps_session *s, enum handler handler, PyObject *args);

/* Like ps_request, but waits for the reply until `deadline`. */
PyObject *ps_request_until(struct ps_session *s, enum handler handler, PyObject *args,
                           deadline_t deadline);

/* Like ps_request, for a result that must be a value. A reference in the result closes the
 * connection. */
PyObject *ps_request_value(struct ps_session *s, enum handler handler, PyObject *args);

/* These functions do in steps what ps_request does. ps_request_start sends the request and fills
 * *p. ps_request_wait waits for the reply; after TimeoutError, ps_request_wait may be called again.
 * When ps_request_wait has returned 0, ps_request_take returns the result; call ps_request_take
 * only once. ps_request_forget frees p. On failure the functions return -1 or NULL, with an
 * exception as for ps_request. */
int ps_request_start(struct ps_session *s, enum handler handler, PyObject *args,
                     struct pending **p);
int ps_request_wait(struct ps_session *s, struct pending *p, deadline_t deadline);
PyObject *ps_request_take(struct ps_session *s, struct pending *p);
void ps_request_forget(struct ps_session *s, struct pending *p);

/* Sends CLOSE to the client and closes the connection. */
void ps_goodbye(struct ps_session *s);

/* Waits for one message of the client and serves it. Returns 1 if a message was served, 0 if no
 * message arrived before the deadline. Returns -1 with EOFError if the connection has ended, or
 * with an exception that a signal handler raised. */
int ps_serve_one(struct ps_session *s, deadline_t deadline);

#endif
