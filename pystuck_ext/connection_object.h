/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pystuck.connection.Connection of a session: the object that a service gets as its connection,
 * that getconn() returns, and that netrefs have as ____conn__. Needs the GIL.
 */
#ifndef PS_CONNECTION_OBJECT_H
#define PS_CONNECTION_OBJECT_H

#include "session.h"

/* Makes a Connection: calls callable(session object) and returns its result. A new reference, or
 * NULL with an exception. */
PyObject *ps_connection_make(struct ps_session *s, PyObject *callable);

/* Makes `connection` the connection of the session, unless the session has a connection already or
 * has ended. Takes ownership of the reference `connection`. Returns 0, or -1 with an exception if
 * connection._config cannot be read or is not a dict. */
int ps_connection_take(struct ps_session *s, PyObject *connection);

/* Returns the connection of the session. Makes the connection if it does not exist yet. A new
 * reference, or NULL with an exception. */
PyObject *ps_connection_get(struct ps_session *s);

#endif
