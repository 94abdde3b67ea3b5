/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python object for a session. pystuck.connection.Connection, which has the methods of stock
 * rpyc's Connection, is built on it.
 */
#ifndef PS_SESSION_OBJECT_H
#define PS_SESSION_OBJECT_H

#include "session.h"

/* Make the types, for the module's state: new references. */
PyTypeObject *ps_session_make_type(PyObject *module);
PyTypeObject *ps_request_make_type(PyObject *module);

/* Makes an object for a session. A new reference, or NULL with an exception. */
PyObject *ps_session_object_new(struct ps_session *s);

#endif
