/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Netrefs: objects of the peer that this program holds. A connection has at most one for each
 * object. The last rpyc_unref of a netref has the peer release the object with the next request.
 */
#ifndef RPYC_NETREF_H
#define RPYC_NETREF_H

#include "rpyc_conn.h"

/* Returns the netref to the object that an id pack from the peer names, a new reference: the
 * existing one, with the peer's count increased, or a new one. NULL with RPYC_ENOMEM. */
rpyc_value *netref_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err);

#endif
