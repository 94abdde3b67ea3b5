/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect.h"

int connect_server(rpyc_conn **out, const struct options *options, struct rpyc_error *err)
{
    const struct rpyc_options how = {.connect_timeout_ms = options->timeout_ms,
                                     .request_timeout_ms = options->timeout_ms};

    if (options->unix_socket)
        return rpyc_connect_unix(out, options->unix_socket, &how, err);
    return rpyc_connect_tcp(out, options->host, options->port, &how, err);
}
