/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls.h"

#include <dlfcn.h>
#include <stdlib.h>

#ifndef RPYC_LIBDIR
#define RPYC_LIBDIR "/usr/local/lib"
#endif

/* The library from where it was installed, or from wherever the system looks. It stays loaded. */
static void *open_library(void)
{
    void *library = dlopen(RPYC_LIBDIR "/" TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);

    return library ? library : dlopen(TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

/* What the library gives; NULL with RPYC_ETLS. */
static const struct stream_tls *load(struct rpyc_error *err)
{
    void *library = open_library();
    const struct stream_tls *tls;

    if (!library) {
        error_set(err, RPYC_ETLS, "TLS needs " TLS_LIBRARY ": %s", dlerror());
        return NULL;
    }
    tls = dlsym(library, TLS_SYMBOL);
    if (tls && tls->version == TLS_VERSION)
        return tls;
    error_set(err, RPYC_ETLS, TLS_LIBRARY " is of another version of librpyc");
    return NULL;
}

int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err)
{
    const struct stream_tls *tls = load(err);

    if (!tls || tls->connect(s, options, host, deadline, err) < 0)
        return -1;
    s->tls = tls;
    return 0;
}

struct tls_server {
    const struct stream_tls *tls;
    void *context; /* tls's */
};

int tls_server_new(struct tls_server **out, const struct tls_server_options *options,
                   struct rpyc_error *err)
{
    const struct stream_tls *tls = load(err);
    struct tls_server *server;

    if (!tls)
        return -1;
    server = calloc(1, sizeof(*server));
    if (!server)
        return error_nomem(err);
    server->tls = tls;
    if (tls->server_new(&server->context, options, err) < 0) {
        free(server);
        return -1;
    }
    *out = server;
    return 0;
}

void tls_server_free(struct tls_server *server)
{
    if (!server)
        return;
    server->tls->server_free(server->context);
    free(server);
}

int tls_accept(struct stream *s, struct tls_server *server, deadline_t deadline,
               struct rpyc_error *err)
{
    if (server->tls->accept(s, server->context, deadline, err) < 0)
        return -1;
    s->tls = server->tls;
    return 0;
}

int tls_peer_cert(const struct stream *s, uint8_t **der, size_t *len)
{
    *der = NULL;
    *len = 0;
    return s->tls ? s->tls->peer_cert(s, der, len) : 0;
}
