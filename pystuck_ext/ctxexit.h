/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The exception that the body of a client's `with` raised, for the __exit__ of an object of this
 * process. A CTXEXIT has only the class of the exception.
 */
#ifndef PS_CTXEXIT_H
#define PS_CTXEXIT_H

#include "session.h"

/* Returns the exception for obj, the argument of a CTXEXIT; None for None. With the classic service
 * the client is asked for the exception, for two seconds at most, while it waits for the reply to
 * its CTXEXIT: so it has its arguments and attributes. If the client does not tell, the result is
 * that of ps_raised_class. A new reference; NULL with an exception that does not come from the
 * client, such as KeyboardInterrupt. */
PyObject *ps_raised(struct ps_session *s, PyObject *obj);

/* Returns an exception without arguments, of the class that obj is or names; an Exception if this
 * process does not have the class, or the class requires arguments. A new reference. */
PyObject *ps_raised_class(struct ps_session *s, PyObject *obj);

#endif
