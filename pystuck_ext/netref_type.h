/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python type of netrefs: attributes, comparison, hash, isinstance(). Most of these operations
 * send a request to the client.
 */
#ifndef PS_NETREF_TYPE_H
#define PS_NETREF_TYPE_H

#include "ext.h"

/* Makes the type, for the module's state. A new reference. */
PyTypeObject *ps_netref_make_type(PyObject *module);

/* Returns the names of the attributes that a netref has itself (rpyc.core.netref.LOCAL_ATTRS), as a
 * frozenset. A new reference. */
PyObject *ps_netref_local_names(void);

#endif
