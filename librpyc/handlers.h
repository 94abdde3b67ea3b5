/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Serves the requests that the peer sends to a C caller: requests on the local objects that the
 * peer holds, and requests on the connection itself.
 *
 * A symmetric server (one that runs ClassicService or MasterService) requests the root object of
 * its client, and some attributes of that object, when the client connects. Such a server gets an
 * object whose attributes do nothing.
 */
#ifndef RPYC_HANDLERS_H
#define RPYC_HANDLERS_H

#include "rpyc_conn.h"

/* The callbacks to pass to rpyc_conn_new. */
extern const struct conn_callbacks handlers;

#endif
