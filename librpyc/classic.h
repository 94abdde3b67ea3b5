/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service of the peer (rpyc/core/service.py, SlaveService). rpyc.h has the public
 * functions.
 */
#ifndef RPYC_CLASSIC_H
#define RPYC_CLASSIC_H

#include "rpyc_conn.h"

/* Requests the root object. Sends options->early_handler in the same message, unless it is 0.
 * Stores the requests in the connection. */
int classic_ask_root(rpyc_conn *conn, const struct rpyc_options *options, struct rpyc_error *err);

/* Waits for the root and stores it in the connection. RPYC_ETIMEOUT and RPYC_EINTERRUPT: call again
 * to go on waiting. After other errors the connection has no root. */
int classic_take_root(rpyc_conn *conn, deadline_t deadline, struct rpyc_error *err);

#endif
