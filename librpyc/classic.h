/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service (rpyc/core/service.py, SlaveService) for C callers; the functions are in
 * rpyc.h.
 */
#ifndef RPYC_CLASSIC_H
#define RPYC_CLASSIC_H

#include "rpyc_conn.h"

/* Asks for the root object; and takes the answer, once it has come or the connection has ended, and
 * keeps it in the connection. take also frees the request. */
int classic_ask_root(rpyc_conn *conn, struct pending **request, struct rpyc_error *err);
int classic_take_root(rpyc_conn *conn, struct pending *request, struct rpyc_error *err);

#endif
