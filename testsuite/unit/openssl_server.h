/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TLS server by OpenSSL in another thread, and what the tests check with it.
 */
#ifndef OPENSSL_SERVER_H
#define OPENSSL_SERVER_H

#include <openssl/ssl.h>

#include "identities.h"
#include "rpyc.h"
#include "tls.h"
#include "unit.h"

#define AUTO_STREAM _cleanup_(stream_close) struct stream

/* Long enough for what must succeed. */
#define SOON deadline_in(60000)

struct server {
    struct thread thread;
    SSL_CTX *ctx;
    int fd;       /* the other end of a socket pair, or -1 */
    int listener; /* accepts one connection; used if fd is -1 */
    char port[8];
    void (*talk)(struct server *s, SSL *ssl);
    atomic_bool go; /* sink waits for this */

    /* Results, valid after the end of the thread. */
    bool shook; /* the handshake succeeded */
    int version;
    char sni[64];
    char client[64]; /* the name in the client's certificate */
    size_t received; /* how many bytes of pattern() were received */
};

/* Makes a server with this certificate. */
struct server server_make(const struct identity *who);

/* Makes the server ask clients for a certificate of the tests' CA. */
void server_demands_certificate(struct server *s);

/* Sets the only version that the server speaks. */
void server_only_speaks(struct server *s, int version);

/* Starts the server at one end of a socket pair; returns the other end. */
int server_start_fd(struct server *s, void (*talk)(struct server *, SSL *));
struct stream server_start(struct server *s, void (*talk)(struct server *, SSL *));

/* Starts the server on a port that the kernel selects. */
void server_start_tcp(struct server *s, void (*talk)(struct server *, SSL *));

/* Waits for the end of the server, which ends at the latest when the client hangs up. */
void server_end(struct server *s);

/* Starts the server, and connects to it with a handshake. Returns the client's end. */
struct stream connected(struct server *s, void (*talk)(struct server *, SSL *));

/* Closes the client's end, and waits for the end of the server. */
void disconnect(struct stream *c, struct server *s);

/* What servers do after the handshake, with bytes of a pattern. */
struct bytes patterned(size_t n);

/* Sends back what it receives. */
void echo(struct server *s, SSL *ssl);

/* Echoes, with new keys for each piece. */
void echo_with_new_keys(struct server *s, SSL *ssl);

/* Reads nothing until `go` is set, then everything. */
void sink(struct server *s, SSL *ssl);

/* Sends and reads nothing until the client hangs up. */
void be_silent(struct server *s, SSL *ssl);
void hang_up(struct server *s, SSL *ssl);
void say_goodbye(struct server *s, SSL *ssl);

/* Sends a record that was not made with the session's keys. */
void forge(struct server *s, SSL *ssl);

/* Answers the first request, GETROOT of generation 6. */
void serve_root(struct server *s, SSL *ssl);

/* Options that trust the CA of the tests. */
extern const struct rpyc_tls trusting_ca;

/* Sends a text, and checks that it comes back. */
void assert_echoes(struct stream *c, const char *text);

/* Checks that a handshake with this server succeeds and that bytes go both ways. */
void assert_connects(struct server *s, const struct rpyc_tls *options, const char *host);

/* Checks that this server is refused, and the reason. */
void assert_refuses(struct server *s, const struct rpyc_tls *options, const char *host,
                    const char *why);

/* A stream whose other end the test holds. */
struct stream alone(struct peer *p);

/* Checks that options are refused before anything is sent. */
void assert_bad_options(const struct rpyc_tls *options, const char *host, enum rpyc_errcode code,
                        const char *why);

#endif
