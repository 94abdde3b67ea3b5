/* SPDX-License-Identifier: BSD-3-Clause
 *
 * connect: connects to the server that the options name.
 */
#ifndef CLIENT_CONNECT_CONNECT_H
#define CLIENT_CONNECT_CONNECT_H

#include <rpyc.h>

#include "options.h"
#include "connect/address.h"

/* A request that is sent behind the one for the root: see rpyc_options. */
struct early_request {
    int handler;
    rpyc_value *args; /* a tuple */
};

/* Connects to the server that the options name. If they name a process, tries its servers until one
 * accepts. early: may be NULL; else the connection may have no root yet, see rpyc_has_root. Errors:
 * those of dial_server(), find_of_process() and tls_files_check(); explain_failure() turns them
 * into sentences. */
int connect_server(rpyc_conn **out, const struct options *options,
                   const struct early_request *early, struct rpyc_error *err);

/* The address that the options name, if they do not name a process. Points into *options. */
struct address connect_address(const struct options *options);

#endif
