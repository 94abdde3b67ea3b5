/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/connect.h"

#include "connect/dial.h"
#include "connect/find.h"
#include "connect/tls_files.h"

struct address connect_address(const struct options *options)
{
    const struct target *target = &options->target;

    return (struct address){.host = target->host,
                            .port = target->port,
                            .path = *target->path ? target->path : NULL,
                            .trust = &options->trust};
}

/* Connects to a server of a process. It is a pystuck server, so it speaks rpyc 6. */
static int connect_process(rpyc_conn **out, const struct options *options, struct rpyc_options *how,
                           struct rpyc_error *err)
{
    struct address_text text;
    struct servers found;
    struct address address;
    int result = -1;

    if (how->generation == RPYC_GENERATION_AUTO)
        how->generation = RPYC_GENERATION_6;
    if (find_of_process(&found, options->pid, err) == 0) {
        for (size_t i = 0; i < found.count && result < 0; i++) {
            if (!found.all[i].has_address)
                continue;
            rpyc_error_clear(err);
            find_address(&address, &text, &found.all[i]);
            address.trust = &options->trust;
            result = dial_server(out, &address, how, err);
        }
    }
    find_free(&found);
    return result;
}

/* True if a pystuck server listens on the address: then no answer means that it is busy. */
static bool is_pystuck(void *arg)
{
    const struct address *address = arg;
    struct servers found;
    bool result;

    find_all(&found);
    result = find_at(&found, address) != NULL;
    find_free(&found);
    return result;
}

int connect_server(rpyc_conn **out, const struct options *options,
                   const struct early_request *early, struct rpyc_error *err)
{
    struct address address = connect_address(options);
    const struct rpyc_tls tls = tls_files_settings(options);
    struct rpyc_options how = {.generation = options->rpyc.generation,
                               .bind_threads = options->rpyc.bind_threads,
                               .connect_timeout_ms = options->timeout_ms,
                               .request_timeout_ms = options->timeout_ms,
                               .tls = options->ssl ? &tls : NULL,
                               .remembered = options->found,
                               .is_certain = is_pystuck,
                               .is_certain_arg = &address,
                               .early_handler = early ? early->handler : 0,
                               .early_args = early ? early->args : NULL};
    int result;

    if (options->ssl && tls_files_check(&tls, err) < 0)
        return -1;
    if (options->pid)
        result = connect_process(out, options, &how, err);
    else
        result = dial_server(out, &address, &how, err);
    if (result == 0)
        *options->found = rpyc_conn_envelope(*out);
    return result;
}
