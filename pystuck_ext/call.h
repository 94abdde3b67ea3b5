/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests to the client, by any thread that has the GIL: it is released while they wait, and the
 * client is served meanwhile.
 */
#ifndef PS_CALL_H
#define PS_CALL_H

#include "session.h"

/* Sends a request to the client, with a tuple of arguments, and waits for the reply as long as the
 * session's requests may take. The result is a new reference; NULL with what the client raised,
 * EOFError when it is gone, TimeoutError, or what a signal handler raised meanwhile. */
PyObject *ps_request(struct ps_session *s, enum handler handler, PyObject *args);

/* The same with a deadline of its own. */
PyObject *ps_request_until(struct ps_session *s, enum handler handler, PyObject *args,
                           deadline_t deadline);

/* The same where the answer is a value; anything else ends the connection. */
PyObject *ps_request_value(struct ps_session *s, enum handler handler, PyObject *args);

/* The same in parts: *p is for ps_request_wait, any number of times; once that has been successful
 * for ps_request_take, once, which gives the result; and in the end for ps_request_forget. -1 or
 * NULL with an exception as above. */
int ps_request_start(struct ps_session *s, enum handler handler, PyObject *args,
                     struct pending **p);
int ps_request_wait(struct ps_session *s, struct pending *p, deadline_t deadline);
PyObject *ps_request_take(struct ps_session *s, struct pending *p);
void ps_request_forget(struct ps_session *s, struct pending *p);

/* Says goodbye to the client and hangs up. */
void ps_goodbye(struct ps_session *s);

/* Sees to one message of the client's, waiting for it. 1: did so; 0: none came until the deadline;
 * -1 with EOFError at the end of the connection, or with what a signal handler raised. */
int ps_serve_one(struct ps_session *s, deadline_t deadline);

#endif
