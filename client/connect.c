/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect.h"

int connect_server(rpyc_conn **out, const struct options *options, struct rpyc_error *err)
{
    if (options->unix_socket)
        return rpyc_connect_unix(out, options->unix_socket, NULL, err);
    return rpyc_connect_tcp(out, options->host, options->port, NULL, err);
}
