/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service of the peer (rpyc/core/service.py, SlaveService). rpyc.h has the public
 * functions.
 */
#ifndef RPYC_CLASSIC_H
#define RPYC_CLASSIC_H

#include "rpyc_conn.h"

/* Sends the request for the root object. If options->early_handler is not 0, sends the early
 * request behind it in the same message. Stores the requests in conn->root_request and conn->early.
 * Does not wait for replies. */
int classic_ask_root(rpyc_conn *conn, const struct rpyc_options *options, struct rpyc_error *err);

/* Waits for the root object and stores it in conn->root. After RPYC_ETIMEOUT or RPYC_EINTERRUPT,
 * call again to wait longer. After any other error, conn->root remains NULL. */
int classic_take_root(rpyc_conn *conn, deadline_t deadline, struct rpyc_error *err);

#endif
