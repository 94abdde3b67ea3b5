/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service of the peer (rpyc/core/service.py, SlaveService). rpyc.h has the public
 * functions.
 */
#ifndef RPYC_CLASSIC_H
#define RPYC_CLASSIC_H

#include "rpyc_conn.h"

/* classic_ask_root requests the root object. classic_take_root waits for the reply, stores the root
 * in the connection, and frees the request. */
int classic_ask_root(rpyc_conn *conn, struct pending **request, struct rpyc_error *err);
int classic_take_root(rpyc_conn *conn, struct pending *request, struct rpyc_error *err);

#endif
