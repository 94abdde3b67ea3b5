/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS for streams. Its code is in a separate library, librpyc-ssl, which is loaded on first use:
 * OpenSSL costs 3.6 MB and 2 ms, and most programs never need it.
 */
#ifndef RPYC_TLS_H
#define RPYC_TLS_H

#include "stream.h"

/* The oldest version of TLS that is accepted, as it stands on the wire: TLS 1.2. */
#define TLS_OLDEST_VERSION 0x0303

/* Whether a server asks a client for a certificate. UNASKED: it does not ask. WELCOME: it asks, but
 * the client may have none. REQUIRED: the client must have one. A certificate that a client shows
 * must always be valid. */
enum tls_client_cert { TLS_CLIENT_CERT_UNASKED, TLS_CLIENT_CERT_WELCOME, TLS_CLIENT_CERT_REQUIRED };

/* Options of a server's TLS. */
struct tls_server_options {
    const char *cert_file; /* PEM: the certificate, and the certificates between it and the CA's */
    const char *key_file;  /* PEM; NULL: the key is in cert_file */
    const char *ca_file;   /* PEM: CAs for client certificates; NULL: none */
    const char *ciphers;   /* for TLS 1.2, in the syntax of ciphers(1); NULL: OpenSSL's default */
    const char *crl_file;  /* PEM: a revocation list of each CA; NULL: none */
    enum tls_client_cert client_cert;
    bool only_tls_1_2;

    /* The clients that may connect, a list that ends with NULL. Each item is a common name
     * ("alice") or, if it contains a "=", a whole subject in the syntax of RFC 2253
     * ("CN=alice,O=Example"). NULL instead of a list: every client with a certificate of the CA. */
    const char *const *subjects;
};

/* The TLS settings of a server, shared by all its connections. */
struct tls_server;

/* The functions of librpyc-ssl that librpyc calls. receive and send_some do what stream_receive and
 * stream_send_some do, for a stream whose tls and tls_state are set. free frees such a tls_state.
 * accept, peer_cert and thread_end do the work of tls_accept, tls_peer_cert and tls_thread_end. */
struct stream_tls {
    unsigned version; /* TLS_VERSION: both libraries must come from one build */

    /* Loads OpenSSL. Must succeed before any other function is called. Errors: RPYC_ETLS. */
    int (*load)(struct rpyc_error *err);

    /* Performs the client's handshake on a connected stream, and sets s->tls_state. host: the
     * server's name, or NULL. After a failure the stream is unchanged, but cannot be used any more.
     * Errors: RPYC_ETLS, RPYC_EINVAL, RPYC_ETIMEOUT, RPYC_ECLOSED, RPYC_ESYSTEM. */
    int (*connect)(struct stream *s, const struct rpyc_tls *options, const char *host,
                   deadline_t deadline, struct rpyc_error *err);

    /* Reads the files of a server, and stores the result in *context. The options must stay valid
     * until server_free. */
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

#define TLS_VERSION 7
#define TLS_SYMBOL  "rpyc_ssl"
#define TLS_LIBRARY "librpyc-ssl.so.0"

/* Loads librpyc-ssl and performs the client's handshake. Errors: those of `connect` above;
 * RPYC_ETLS if the library cannot be loaded. */
int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err);

/* Loads librpyc-ssl and reads the files of a server. Copies the options. The caller owns the result
 * and frees it with tls_server_free. Errors: RPYC_ETLS, with the file and the reason; RPYC_ENOMEM.
 * */
int tls_server_new(struct tls_server **out, const struct tls_server_options *options,
                   struct rpyc_error *err);

/* Reads the files again if one of them has changed. The new contents are used for connections that
 * are accepted later. Returns 1 if the files were read; 0 if nothing has changed, or if another
 * thread is checking; -1 with the errors of tls_server_new. After an error the old contents stay in
 * use, and the next call tries again. */
int tls_server_renew(struct tls_server *server, struct rpyc_error *err);

/* Frees the settings. server may be NULL. Connections that were accepted stay usable. */
void tls_server_free(struct tls_server *server);

/* Performs the server's handshake on a stream that a client has connected. After a failure the
 * stream is unchanged, but cannot be used any more. Errors: those of `connect` above; their text
 * says "the client" and not "the server". */
int tls_accept(struct stream *s, struct tls_server *server, deadline_t deadline,
               struct rpyc_error *err);

/* Frees OpenSSL's data of the calling thread. Call this at the end of each thread that the caller
 * has created and that used the server's connections. Without this call, OpenSSL frees the data
 * when the thread ends, perhaps while exit(3) is freeing all of OpenSSL's data. Does not return if
 * the process is ending. server may be NULL. */
void tls_thread_end(struct tls_server *server);

/* Sets *der and *len to the peer's certificate as DER, which the caller frees with free(). Sets
 * them to NULL and 0 if the peer showed no certificate or s does not use TLS. Returns 0, or -1 if
 * there is no memory. */
int tls_peer_cert(const struct stream *s, uint8_t **der, size_t *len);

#endif
