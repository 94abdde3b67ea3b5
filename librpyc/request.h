/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of a C caller: arguments in, a value or an exception out. The public ones are in rpyc.h.
 */
#ifndef RPYC_REQUEST_H
#define RPYC_REQUEST_H

#include "value.h"

/* Starts a request, with whatever is to be given back before it. The caller appends the boxed
 * arguments to out->buf, then calls value_request, or conn_abandon. */
void value_request_begin(rpyc_conn *conn, struct outgoing *out, enum handler handler, int64_t *seq);

/* Sends the request and waits. *result is a new reference; result NULL drops it. Takes out. */
int value_request(rpyc_conn *conn, struct outgoing *out, int64_t seq, rpyc_value **result,
                  struct rpyc_error *err);

#endif
