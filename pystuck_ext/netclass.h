/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Classes of netrefs: for each class of the client's objects a subclass of the netref type that has
 * exactly the special methods of the remote class.
 */
#ifndef PS_NETCLASS_H
#define PS_NETCLASS_H

#include "session.h"

/* Returns the netref for an id pack from the wire: the known one, counted once more, or a new one,
 * for which the client may be asked about the class. A new reference, or NULL with an exception.
 * For ps_session_ops. */
PyObject *ps_netref_resolve(struct ps_session *s, const struct id_pack *pack);

#endif
