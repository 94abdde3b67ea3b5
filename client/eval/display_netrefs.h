/* SPDX-License-Identifier: BSD-3-Clause
 *
 * display_netrefs: the text of a value, for servers on which no code may run.
 */
#ifndef CLIENT_EVAL_DISPLAY_NETREFS_H
#define CLIENT_EVAL_DISPLAY_NETREFS_H

#include <rpyc.h>

#include "eval/proxy.h"

/* Formats a value as Python's pprint does, for lines of `width` columns. Uses repr() if the server
 * refuses pprint. Cuts off very long text. If repr() of the value raises an exception, the text
 * says so. *out gets a new reference to a str. Errors: those of the connection and of host->wait.
 */
int display_value(rpyc_conn *conn, rpyc_value *value, int width, const struct proxy_host *host,
                  rpyc_value **out, struct rpyc_error *err);

#endif
