/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Classes of netrefs: for each class of the client's objects a subclass of the netref type that has
 * exactly the special methods of the remote class.
 */
#ifndef PS_NETCLASS_H
#define PS_NETCLASS_H

#include "session.h"

/* The class for netrefs to what an id pack names: known to the session already, or made after
 * asking the client for its methods. A new reference, or NULL with an exception. */
PyObject *ps_netclass_for(struct ps_session *s, const struct id_pack *pack);

#endif
