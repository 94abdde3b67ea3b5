/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect.h"

struct place connect_place(const struct options *options)
{
    return (struct place){
        .host = options->host, .port = options->port, .path = options->unix_socket};
}

int connect_server(rpyc_conn **out, const struct options *options, struct rpyc_error *err)
{
    struct place place = connect_place(options);

    return place_connect(out, &place, err);
}
