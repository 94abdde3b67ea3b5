/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Serves the requests that the peer sends to a C caller's connection: on the local objects that it
 * holds, and on the connection itself.
 *
 * A symmetric server (one that runs ClassicService or MasterService) requests the root object of
 * its client, and some of its attributes, when the client connects. It gets an object whose
 * attributes do nothing.
 */
#ifndef RPYC_HANDLERS_H
#define RPYC_HANDLERS_H

#include "rpyc_conn.h"

/* For rpyc_conn_new. */
extern const struct conn_callbacks handlers;

#endif
