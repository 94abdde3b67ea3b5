/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Boxes the values of C callers: copies plain values, sends netrefs and local objects by reference.
 * message.h has the parts of a box.
 */
#ifndef RPYC_BOX_H
#define RPYC_BOX_H

#include "rpyc_conn.h"

/* Reads a box. Returns a new reference, or NULL with err filled: RPYC_EPROTOCOL also where the box
 * names a local object that the peer does not hold. */
rpyc_value *box_read_value(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err);

/* Returns a local object that the peer names, a new reference; NULL with RPYC_EPROTOCOL where the
 * peer does not hold it. */
rpyc_value *box_find_local(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err);

/* Checks that a value can be sent on a connection. Errors: RPYC_EINVAL for a netref of another
 * connection, or a reference in a frozenset or slice. box_put_value counts local objects as held by
 * the peer, also if the message is not sent afterwards. So check all values of a message before the
 * first box_put_value. */
int box_check_value(const rpyc_conn *conn, const rpyc_value *value, struct rpyc_error *err);

/* Appends the box of a value. The peer then holds the local objects in it. Errors: those of
 * box_check_value, RPYC_ENOMEM. */
int box_put_value(rpyc_conn *conn, struct buffer *out, rpyc_value *value, struct rpyc_error *err);

#endif
