/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client in another thread, for the tests of the server's side of TLS: librpyc's, or OpenSSL's
 * for what librpyc's cannot do.
 */
#ifndef TLS_VISITOR_H
#define TLS_VISITOR_H

#include "identities.h"
#include "rpyc.h"
#include "tls.h"
#include "unit.h"

#define AUTO_STREAM     _cleanup_(stream_close) struct stream
#define AUTO_TLS_SERVER _cleanup_(free_tls_server) struct tls_server

/* Long enough for what must succeed. */
#define SOON deadline_in(60000)

void free_tls_server(struct tls_server **made);

/* A client in another thread that connects, sends hello, and waits for the end. */
struct visitor {
    struct thread thread;
    struct rpyc_tls options;
    int max_version; /* 0: use librpyc's client; else the highest version for OpenSSL's client */
    struct stream stream;
    int version;    /* of TLS, with OpenSSL's client */
    bool connected; /* the result */
};

/* Starts the client; returns the server's end of the socket pair. */
struct stream start_visitor(struct visitor *v);

/* Options of a server: its certificate alone; and one that requires certificates of clients. */
struct tls_server_options plain_options(void);
struct tls_server_options demanding_options(void);
struct tls_server *new_server(const struct tls_server_options *options);

/* Sends back one piece. */
void echo_hello(struct stream *s);

/* Checks that a server accepts the client. Returns the client's certificate as DER. */
struct bytes assert_accepts(struct tls_server *made, struct visitor *v);

/* Checks that a server with these options accepts the client. */
struct bytes assert_lets_in(const struct tls_server_options *options, struct visitor *v);

/* Check that a server, or one with these options, refuses the client, and the reason. */
void assert_refuses_visitor(struct tls_server *made, struct visitor *v, const char *why);
void assert_options_refuse(const struct tls_server_options *options, struct visitor *v,
                           const char *why);

/* Checks that no server can be made with these options, and the reason. */
void assert_unusable(const struct tls_server_options *options, const char *why);

/* A client with a certificate of the CA. */
struct visitor known_visitor(const char *cert_file);

#endif
