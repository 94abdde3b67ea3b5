/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the body of a client's `with` raised, for the __exit__ of an object here. A CTXEXIT has the
 * class of it alone.
 */
#ifndef PS_CTXEXIT_H
#define PS_CTXEXIT_H

#include "session.h"

/* The exception that obj, from a CTXEXIT, stands for; None for None. With the classic service the
 * client is asked for it while it waits for its CTXEXIT, for two seconds at most: then it has its
 * arguments, and its attributes. Where the client does not say, as ps_raised_class. A new
 * reference; NULL with an exception that is none of the client's, such as KeyboardInterrupt. */
PyObject *ps_raised(struct ps_session *s, PyObject *obj);

/* An exception of the class that obj is, or names, without arguments. One of Exception where there
 * is no such class here, or where it cannot be made so. */
PyObject *ps_raised_class(struct ps_session *s, PyObject *obj);

#endif
