/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls.h"

#include <dlfcn.h>

#ifndef RPYC_LIBDIR
#define RPYC_LIBDIR "/usr/local/lib"
#endif

/* The library from where it was installed, or from wherever the system looks. It stays loaded. */
static void *open_library(void)
{
    void *library = dlopen(RPYC_LIBDIR "/" TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);

    return library ? library : dlopen(TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err)
{
    void *library = open_library();
    const struct stream_tls *tls;

    if (!library)
        return error_set(err, RPYC_ETLS, "TLS needs " TLS_LIBRARY ": %s", dlerror());
    tls = dlsym(library, TLS_SYMBOL);
    if (!tls || tls->version != TLS_VERSION)
        return error_set(err, RPYC_ETLS, TLS_LIBRARY " is of another version of librpyc");
    if (tls->connect(s, options, host, deadline, err) < 0)
        return -1;
    s->tls = tls;
    return 0;
}
