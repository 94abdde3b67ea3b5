/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Boxes for the values of C callers. Plain values are copied; netrefs and local objects are sent by
 * reference. message.h has the parts of a box.
 */
#ifndef RPYC_BOX_H
#define RPYC_BOX_H

#include "rpyc_conn.h"

/* Reads a box. Returns a new reference, or NULL with err filled. The code is RPYC_EPROTOCOL also if
 * the box names a local object that the peer does not hold. */
rpyc_value *box_read_value(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err);

/* Returns a new reference to the local object that the peer names with `pack`. Returns NULL with
 * RPYC_EPROTOCOL if the peer does not hold such an object. */
rpyc_value *box_find_local(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err);

/* Checks that a value can be sent on a connection. Returns -1 with RPYC_EINVAL if it contains a
 * netref of another connection, or a frozenset or slice that contains a netref or a local object.
 * Check all values of a message before the first box_put_value: that function counts local objects
 * as held by the peer, and they stay counted even if the message is never sent. */
int box_check_value(const rpyc_conn *conn, const rpyc_value *value, struct rpyc_error *err);

/* Appends a value as a box. Counts the local objects in the value as held by the peer. Errors:
 * those of box_check_value, RPYC_ENOMEM. */
int box_put_value(rpyc_conn *conn, struct buffer *out, rpyc_value *value, struct rpyc_error *err);

#endif
