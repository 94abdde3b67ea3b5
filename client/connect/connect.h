/* SPDX-License-Identifier: BSD-3-Clause
 *
 * connect: connects to the server that the options name.
 */
#ifndef CLIENT_CONNECT_CONNECT_H
#define CLIENT_CONNECT_CONNECT_H

#include <rpyc.h>

#include "options.h"
#include "connect/address.h"

/* A request that is sent directly after the request for the root. See early_handler in struct
 * rpyc_options. */
struct early_request {
    int handler;
    rpyc_value *args; /* a tuple of plain values */
};

/* What to do if a pystuck server of this machine does not answer in time. */
struct silence {
    /* Called with the server's process. Returns true to wait further, false to give up. May print
     * the stacks. Then sets *told to true, and the client does not print why there is no answer. */
    bool (*call)(pid_t pid, bool *told, void *arg);
    void *arg;
};

/* Connects to the server that the options name. If the options name a process, tries the servers of
 * the process until one accepts. early and silence may be NULL. If early is not NULL, the
 * connection may have no root yet, see rpyc_has_root(). Returns 0, or -1 with the errors of
 * dial_server(), find_of_process() and tls_files_check(); explain_failure() turns these errors into
 * sentences. */
int connect_server(rpyc_conn **out, const struct options *options,
                   const struct early_request *early, const struct silence *silence,
                   struct rpyc_error *err);

/* Returns the address that the options name. The options must not name a process. The strings of
 * the result belong to *options. */
struct address connect_address(const struct options *options);

#endif
