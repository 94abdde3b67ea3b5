/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The exception that the body of a client's `with` raised, for the __exit__ of an object of this
 * process. The request CTXEXIT contains only the class of the exception.
 */
#ifndef PS_CTXEXIT_H
#define PS_CTXEXIT_H

#include "session.h"

/* Returns the exception that obj, the argument of a CTXEXIT, stands for. Returns obj itself if it
 * is None or an exception. If obj is a class of the client and the service is the classic one, asks
 * the client for the exception with its arguments and attributes, for two seconds at most. The
 * client serves requests while it waits for the reply to its CTXEXIT. In other cases, or if the
 * client does not answer, returns the result of ps_raised_class. A new reference; NULL with an
 * exception that does not come from the client, such as KeyboardInterrupt. */
PyObject *ps_raised(struct ps_session *s, PyObject *obj);

/* Returns an exception without arguments: of the class obj, or of the class of this process that
 * has the name of the netref obj. Returns an Exception if there is no such class in this process,
 * or the class requires arguments. A new reference. */
PyObject *ps_raised_class(struct ps_session *s, PyObject *obj);

#endif
