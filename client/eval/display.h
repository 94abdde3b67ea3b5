/* SPDX-License-Identifier: BSD-3-Clause
 *
 * display: the text of a value where no code is run over there.
 */
#ifndef CLIENT_EVAL_DISPLAY_H
#define CLIENT_EVAL_DISPLAY_H

#include <rpyc.h>

#include "eval/proxy.h"

/* Its text as Python's pprint would have it at so many columns, cut off where it is very long; its
 * repr() where the other side gives no pprint. *out gets a new reference to a str. Errors: those of
 * the connection, and of the host's wait for what runs the program's code; an exception of its repr
 * is part of the text. */
int display_value(rpyc_conn *conn, rpyc_value *value, int width, const struct proxy_host *host,
                  rpyc_value **out, struct rpyc_error *err);

#endif
