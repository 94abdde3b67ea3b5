/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service, the root object that a client gets: eval, execute, getmodule, and a
 * namespace of its own (rpyc.core.service.SlaveService, under whose name clients look for its
 * proxy's class).
 */
#ifndef PS_CLASSIC_SERVICE_H
#define PS_CLASSIC_SERVICE_H

#include "session.h"

PyTypeObject *ps_classic_service_make_type(PyObject *module);

/* A new service for one client, with the session's namespace. */
PyObject *ps_classic_service_new(struct ps_session *s);

#endif
