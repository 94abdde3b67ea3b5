/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A session, as Python code in the debuggee may use it: what pystuck.connection.Connection, which
 * has the methods of stock rpyc's, is built on.
 */
#ifndef PS_LINK_H
#define PS_LINK_H

#include "session.h"

/* The types, for the module's state: new references. */
PyTypeObject *ps_link_make_type(PyObject *module);
PyTypeObject *ps_pending_make_type(PyObject *module);

/* A new link to a session. */
PyObject *ps_link_new(struct ps_session *s);

#endif
