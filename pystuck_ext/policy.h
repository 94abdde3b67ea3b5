/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A session's side of pystuck.connection.Connection: the service that the client gets, what it may
 * do, and how long requests to it wait. Needs the GIL.
 */
#ifndef PS_POLICY_H
#define PS_POLICY_H

#include "session.h"

/* The service that run_server was given: makes its connection, its root, its policy; then it is
 * told of its client. -1 with an exception: it does not want it. */
int ps_connect_service(struct ps_session *s);

/* Tells the service that its client is gone, if it was told of the client: also where on_connect
 * raised, as with stock. Once, and not while ps_connect_service is running. */
void ps_disconnect(struct ps_session *s);

/* Makes the classic service, unless the session has a service, or has had one. Before each request:
 * with bind-threads several threads may have a first one. -1 with an exception. */
int ps_connect_classic(struct ps_session *s);

/* The connection as Python code sees it (pystuck.connection.Connection), made when it is first
 * asked for: a new reference, or NULL with an exception. */
PyObject *ps_session_connection(struct ps_session *s);

/* Whether the client may do everything: it has the classic service. */
bool ps_session_is_classic(const struct ps_session *s);

/* Whether the client is an rpyc before 6.0. */
bool ps_session_is_old(const struct ps_session *s);

/* Whether the connection's configuration allows something; true where nobody made one. Not while an
 * exception is set. */
bool ps_session_allows(struct ps_session *s, const char *what);

/* What the client is told as the version of rpyc: with include_local_version in the configuration
 * the one whose protocol the connection uses, else "<version denied>". Call with no exception set.
 */
const char *ps_session_version(struct ps_session *s);

/* When a request to the client that is made now gives up: the connection's sync_request_timeout, 30
 * s as in stock rpyc where nobody changed it. */
deadline_t ps_session_deadline(struct ps_session *s);

/* That many seconds from now, which may be no number that makes sense. */
deadline_t ps_deadline_in(double seconds);

#endif
