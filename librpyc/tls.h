/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS under a stream. The code is in a library of its own, librpyc-ssl, which is loaded when TLS is
 * asked for and not before: OpenSSL costs 3.6 MB and 2 ms, and most programs never need it.
 */
#ifndef RPYC_TLS_H
#define RPYC_TLS_H

#include "stream.h"

/* Whether a server asks its clients for a certificate. One that is shown has to be good. */
enum tls_client_cert { TLS_CLIENT_CERT_UNASKED, TLS_CLIENT_CERT_WELCOME, TLS_CLIENT_CERT_REQUIRED };

/* What a server shows to its clients, and wants of them. */
struct tls_server_options {
    const char *cert_file; /* PEM: its certificate and those between that and the CA's */
    const char *key_file;  /* PEM; NULL: it is in cert_file */
    const char *ca_file;   /* PEM: who vouches for clients; NULL: nobody */
    const char *ciphers;   /* for TLS 1.2, as ciphers(1) has them; NULL: OpenSSL's choice */
    const char *crl_file;  /* PEM: what its CAs have revoked, a list of each; NULL: nothing */
    enum tls_client_cert client_cert;
    bool only_tls_1_2;

    /* Whose certificates are good, ended by NULL: common names, or whole subjects as RFC 2253
     * writes them ("CN=alice,O=Example"), which a "=" tells apart. NULL: all that the CA vouches
     * for. */
    const char *const *subjects;
};

/* A server's side of TLS, for any number of connections at once. */
struct tls_server;

/* What librpyc-ssl gives to librpyc. The functions are those of stream.h, for a stream whose tls
 * and tls_state are set, and the ones below. */
struct stream_tls {
    unsigned version; /* TLS_VERSION: both libraries come from one build */

    /* Makes a connected stream one over TLS, as a client of a server that is called host. On
     * failure the stream is as it was but of no more use. Errors: RPYC_ETLS, RPYC_EINVAL,
     * RPYC_ETIMEOUT, RPYC_ECLOSED, RPYC_ESYSTEM. */
    int (*connect)(struct stream *s, const struct rpyc_tls *options, const char *host,
                   deadline_t deadline, struct rpyc_error *err);

    /* A server's side: the files are read, the options have to stay. */
    int (*server_new)(void **context, const struct tls_server_options *options,
                      struct rpyc_error *err);
    void (*server_free)(void *context);
    int (*accept)(struct stream *s, void *context, deadline_t deadline, struct rpyc_error *err);
    int (*peer_cert)(const struct stream *s, uint8_t **der, size_t *len);
    ssize_t (*receive)(struct stream *s, void *bytes, size_t n, deadline_t deadline,
                       struct rpyc_error *err);
    ssize_t (*send_some)(struct stream *s, const void *bytes, size_t n, deadline_t deadline,
                         struct rpyc_error *err);
    void (*free)(void *state);
    void (*thread_end)(void);
};

#define TLS_VERSION 5
#define TLS_SYMBOL  "rpyc_ssl"
#define TLS_LIBRARY "librpyc-ssl.so.0"

/* Loads librpyc-ssl and calls its connect. RPYC_ETLS where it is not installed. */
int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err);

/* Loads librpyc-ssl and reads the files. The options are copied. Errors: RPYC_ETLS, with what
 * cannot be used and why; RPYC_ENOMEM. Owned by the caller, for tls_server_free. */
int tls_server_new(struct tls_server **out, const struct tls_server_options *options,
                   struct rpyc_error *err);

/* Reads the files again where one of them has changed since, for the connections that are accepted
 * from then on. 1: they were read. 0: nothing has changed, or another thread is looking already.
 * -1, errors as of tls_server_new: what was read before is used still, and the next call tries
 * again. */
int tls_server_renew(struct tls_server *server, struct rpyc_error *err);

/* NULL is allowed. Connections that were accepted go on. */
void tls_server_free(struct tls_server *server);

/* Makes a stream that a client has connected to one over TLS. On failure the stream is as it was
 * but of no more use. Errors as of connect above; the text is about "the client". */
int tls_accept(struct stream *s, struct tls_server *server, deadline_t deadline,
               struct rpyc_error *err);

/* The last thing that a thread does which has used the server's connections, if it is the caller's
 * own: gives back what OpenSSL keeps of it. OpenSSL does that by itself, but it may be in the
 * middle of ending with the process. Does not return where the process is ending. NULL is allowed.
 */
void tls_thread_end(struct tls_server *server);

/* The certificate that the peer showed, as DER in memory for free(): 0; *len is 0 and *der NULL if
 * it showed none or s is not over TLS. -1: out of memory. */
int tls_peer_cert(const struct stream *s, uint8_t **der, size_t *len);

#endif
