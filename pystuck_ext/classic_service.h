/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service: a root object with eval, execute, getmodule and a namespace for each client.
 * The class of this object has the same name as in stock rpyc: rpyc.core.service.SlaveService.
 */
#ifndef PS_CLASSIC_SERVICE_H
#define PS_CLASSIC_SERVICE_H

#include "session.h"

PyTypeObject *ps_classic_service_make_type(PyObject *module);

/* Makes a service for one client, with the session's namespace. A new reference, or NULL with an
 * exception. */
PyObject *ps_classic_service_new(struct ps_session *s);

#endif
