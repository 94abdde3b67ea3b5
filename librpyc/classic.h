/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service (rpyc/core/service.py, SlaveService) for C callers; the functions are in
 * rpyc.h.
 */
#ifndef RPYC_CLASSIC_H
#define RPYC_CLASSIC_H

#include "request.h"

/* Asks for the root object and keeps it in the connection. */
int classic_fetch_root(rpyc_conn *conn, struct rpyc_error *err);

#endif
