/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A session, as Python code in the debuggee may use it: what pystuck.connection.Connection, which
 * has the methods of stock rpyc's, is built on.
 */
#ifndef PS_SESSION_OBJECT_H
#define PS_SESSION_OBJECT_H

#include "session.h"

/* The types, for the module's state: new references. */
PyTypeObject *ps_session_make_type(PyObject *module);
PyTypeObject *ps_request_make_type(PyObject *module);

/* A new object for a session. */
PyObject *ps_session_object_new(struct ps_session *s);

#endif
