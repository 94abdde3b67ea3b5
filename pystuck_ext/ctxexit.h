/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The exception that the body of a client's `with` raised, for the __exit__ of an object of this
 * process. The request CTXEXIT contains only the class of the exception.
 */
#ifndef PS_CTXEXIT_H
#define PS_CTXEXIT_H

#include "session.h"

/* Returns the exception that obj, the argument of a CTXEXIT, stands for. If obj is None or an
 * exception, returns obj itself. If obj is a class of the client and the service is the classic
 * service, asks the client for the exception with its arguments and attributes, for two seconds at
 * most. The client can answer, because it serves requests while it waits for the reply to its
 * CTXEXIT. In other cases, or if the client does not answer, returns the result of ps_raised_class.
 * A new reference; NULL with an exception that does not come from the client, such as
 * KeyboardInterrupt. */
PyObject *ps_raised(struct ps_session *s, PyObject *obj);

/* Returns an exception without arguments. Its class is obj, or, if obj is a netref, the class of
 * this process that has the same name as the netref. If there is no such class in this process, or
 * if the class requires arguments, returns an instance of Exception. A new reference. */
PyObject *ps_raised_class(struct ps_session *s, PyObject *obj);

#endif
