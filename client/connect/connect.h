/* SPDX-License-Identifier: BSD-3-Clause
 *
 * connect: to the server that the options name.
 */
#ifndef CLIENT_CONNECT_CONNECT_H
#define CLIENT_CONNECT_CONNECT_H

#include <rpyc.h>

#include "options.h"
#include "connect/address.h"

/* Connects; to the first server that takes us where a process is named. Errors: those of
 * dial_server, find_of_process and tls_files_check; diagnose makes sentences of them. */
int connect_server(rpyc_conn **out, const struct options *options, struct rpyc_error *err);

/* The address that they name, if it is not a process. Points into *options. */
struct address connect_address(const struct options *options);

#endif
