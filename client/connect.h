/* SPDX-License-Identifier: BSD-3-Clause
 *
 * connect: to the server that the options name.
 */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include <rpyc.h>

#include "options.h"

/* Errors: those of rpyc_connect_tcp. */
int connect_server(rpyc_conn **out, const struct options *options, struct rpyc_error *err);

#endif
