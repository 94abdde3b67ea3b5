/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Classes of objects, both ways: for each class of the client's objects a subclass of the netref
 * type with just the special methods that the remote class has; and the listing of methods that the
 * client makes its own such classes from (INSPECT).
 */
#ifndef PS_NETCLASS_H
#define PS_NETCLASS_H

#include "session.h"

/* The class for netrefs to what an id pack names: known to the session already, or made after
 * asking the client for its methods. A new reference, or NULL with an exception. */
PyObject *ps_netclass_for(struct ps_session *s, const struct id_pack *pack);

/* The class of this process that a class name of the wire ("builtins.ValueError") means, if its
 * module is imported here: a new reference; NULL without an exception if there is none. */
PyObject *ps_class_by_name(const char *name, size_t len);

/* The answer to INSPECT: a list of (method name, docstring) of obj, as rpyc.lib.get_methods of the
 * client's generation. */
PyObject *ps_inspect(struct ps_session *s, PyObject *obj);

#endif
