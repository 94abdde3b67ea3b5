/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Netrefs: references to objects of the peer. A connection has at most one netref for each object.
 * After the last rpyc_unref of a netref, the next request tells the peer to release the object.
 */
#ifndef RPYC_NETREF_H
#define RPYC_NETREF_H

#include "rpyc_conn.h"

/* Returns a new reference to the netref for the object that an id pack from the peer names. Creates
 * the netref if there is none. If there is one, adds 1 to the number of times that the peer has
 * sent the object. Returns NULL with RPYC_ENOMEM if there is no memory. */
rpyc_value *netref_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err);

#endif
