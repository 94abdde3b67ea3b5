/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS under a stream. The code is in a library of its own, librpyc-ssl, which is loaded when TLS is
 * asked for and not before: OpenSSL costs 3.6 MB and 2 ms, and most programs never need it.
 */
#ifndef RPYC_TLS_H
#define RPYC_TLS_H

#include "stream.h"

/* What librpyc-ssl gives to librpyc. The functions are those of stream.h, for a stream whose tls
 * and tls_state are set. */
struct stream_tls {
    unsigned version; /* TLS_VERSION: both libraries come from one build */

    /* Makes a connected stream one over TLS, as a client of a server that is called host. On
     * failure the stream is as it was but of no more use. Errors: RPYC_ETLS, RPYC_EINVAL,
     * RPYC_ETIMEOUT, RPYC_ECLOSED, RPYC_ESYSTEM. */
    int (*connect)(struct stream *s, const struct rpyc_tls *options, const char *host,
                   deadline_t deadline, struct rpyc_error *err);
    ssize_t (*receive)(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err);
    ssize_t (*send_some)(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err);
    void (*free)(void *state);
};

#define TLS_VERSION 1
#define TLS_SYMBOL  "rpyc_ssl"
#define TLS_LIBRARY "librpyc-ssl.so.0"

/* Loads librpyc-ssl and calls its connect. RPYC_ETLS where it is not installed. */
int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err);

#endif
