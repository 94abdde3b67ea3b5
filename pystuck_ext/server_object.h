/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python object for a running server, which run_server() returns. Also closes the servers of a
 * subinterpreter when the subinterpreter ends.
 *
 * While the main interpreter ends, nothing is closed and nothing waits for requests: a program that
 * is stuck at its end can still be inspected. The servers of the main interpreter are closed when
 * this interpreter has ended: see ps_gil_at_exit(). When a subinterpreter ends, its servers
 * are closed, and the subinterpreter waits for the threads of these servers.
 */
#ifndef PS_SERVER_OBJECT_H
#define PS_SERVER_OBJECT_H

#include "session.h"

/* Makes the type _pystuck.Server. NULL with an exception. */
PyTypeObject *ps_server_object_make_type(PyObject *module);

/* Creates the Server object. Takes ownership of server and settings. On failure closes the server
 * and returns NULL with an exception. */
PyObject *ps_server_object_new(PyObject *module, struct ps_server *server,
                               struct ps_settings *settings);

/* Call in a subinterpreter that calls ps_without_gil_prepare(). Makes sure that
 * ps_without_gil_free() is called at the end of the subinterpreter. Returns 0, or -1 with an
 * exception. */
int ps_server_object_watch_end(PyObject *module);

#endif
