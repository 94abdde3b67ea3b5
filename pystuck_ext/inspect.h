/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answer to INSPECT: the methods of an object, from which the client makes the class of its
 * netref.
 */
#ifndef PS_INSPECT_H
#define PS_INSPECT_H

#include "session.h"

/* Returns a list of (method name, docstring or None) for obj, like rpyc.lib.get_methods of the
 * client's rpyc version: a new reference, or NULL with an exception. */
PyObject *ps_inspect(struct ps_session *s, PyObject *obj);

#endif
