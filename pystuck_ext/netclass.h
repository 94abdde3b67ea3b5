/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Classes of netrefs. For each class of the client's objects, there is a subclass of the netref
 * type. This subclass has exactly the special methods of the remote class.
 */
#ifndef PS_NETCLASS_H
#define PS_NETCLASS_H

#include "session.h"

/* Returns the netref for an id pack that a message contained. If the session has this netref
 * already, adds one to its count. Otherwise makes the netref; if the class of the netref is not
 * known yet, asks the client for the methods of the class. A new reference, or NULL with an
 * exception. This is the function `resolve` of ps_session_ops. */
PyObject *ps_netref_resolve(struct ps_session *s, const struct id_pack *pack);

#endif
