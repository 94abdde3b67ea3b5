/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What run_server() returns: a running server, as Python code sees it; and how servers end with
 * their interpreter.
 *
 * While the main interpreter ends nothing is closed and no request is waited for: a program that is
 * stuck in its last functions can still be asked. Its servers are closed once it is gone (gil). A
 * subinterpreter closes its servers, and waits.
 */
#ifndef PS_SERVER_OBJECT_H
#define PS_SERVER_OBJECT_H

#include "session.h"

/* A new type; NULL with an exception. */
PyTypeObject *ps_server_object_make_type(PyObject *module);

/* The handle of a server that runs, of whose reference and whose `settings` it is the owner from
 * now on. NULL with an exception: the server is closed. */
PyObject *ps_server_object_new(PyObject *module, struct ps_server *server,
                               struct ps_settings *settings);

#endif
