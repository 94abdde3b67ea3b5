/* SPDX-License-Identifier: BSD-3-Clause */
#include "openssl_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void look(struct server *s, SSL *ssl)
{
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);

    s->version = SSL_version(ssl);
    snprintf(s->sni, sizeof(s->sni), "%s", sni ? sni : "none");
    if (chain)
        X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(chain, 0)), NID_commonName,
                                  s->client, sizeof(s->client));
}

/* OpenSSL's own socket BIO raises SIGPIPE in the thread that writes. The server thread blocks it,
 * so that the signal can only come from the tested client. */
static void block_sigpipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void run_server(void *arg)
{
    struct server *s = arg;
    SSL *ssl = SSL_new(s->ctx);

    block_sigpipe();
    if (s->fd < 0)
        s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    SSL_set_fd(ssl, s->fd);
    s->shook = SSL_accept(ssl) == 1;
    if (s->shook) {
        look(s, ssl);
        s->talk(s, ssl);
    }
    SSL_free(ssl);
    close(s->fd);
}

struct server server_make(const struct identity *who)
{
    struct server s = {.ctx = SSL_CTX_new(TLS_server_method()), .fd = -1, .listener = -1};

    assert_int_equal(SSL_CTX_use_certificate(s.ctx, who->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, who->key), 1);
    return s;
}

void server_demands_certificate(struct server *s)
{
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), ca.cert), 1);
}

void server_only_speaks(struct server *s, int version)
{
    assert_int_equal(SSL_CTX_set_min_proto_version(s->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(s->ctx, version), 1);
}

int server_start_fd(struct server *s, void (*talk)(struct server *, SSL *))
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s->fd = fds[1];
    s->talk = talk;
    thread_start(&s->thread, run_server, s);
    return fds[0];
}

struct stream server_start(struct server *s, void (*talk)(struct server *, SSL *))
{
    struct stream c;

    stream_open(&c, server_start_fd(s, talk));
    return c;
}

void server_start_tcp(struct server *s, void (*talk)(struct server *, SSL *))
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
    snprintf(s->port, sizeof(s->port), "%u", ntohs(in.sin_port));
    s->talk = talk;
    thread_start(&s->thread, run_server, s);
}

void server_end(struct server *s)
{
    thread_join(&s->thread);
    SSL_CTX_free(s->ctx);
    close_fd(&s->listener);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(((uint32_t)i * 2654435761u) >> 24);
}

struct bytes patterned(size_t n)
{
    struct bytes b = {malloc(n), n};
    size_t i;

    for (i = 0; i < n; i++)
        b.data[i] = pattern(i);
    return b;
}

void echo(struct server *s, SSL *ssl)
{
    char bytes[4096];
    int n;

    (void)s;
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0 && SSL_write(ssl, bytes, n) == n)
        ;
}

void echo_with_new_keys(struct server *s, SSL *ssl)
{
    char bytes[4096];
    int n;

    (void)s;
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0 &&
           SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_write(ssl, bytes, n) == n)
        ;
}

void sink(struct server *s, SSL *ssl)
{
    uint8_t bytes[1000];
    int n, i;

    while (!atomic_load(&s->go))
        sched_yield();
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
        for (i = 0; i < n && bytes[i] == pattern(s->received); i++)
            s->received++;
    }
}

void be_silent(struct server *s, SSL *ssl)
{
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};

    (void)ssl;
    poll(&p, 1, 20000);
}

void hang_up(struct server *s, SSL *ssl)
{
    (void)s;
    (void)ssl;
}

void say_goodbye(struct server *s, SSL *ssl)
{
    (void)s;
    SSL_shutdown(ssl);
}

void forge(struct server *s, SSL *ssl)
{
    static const char record[5 + 40] = {0x17, 3, 3, 0, 40};

    if (write(s->fd, record, sizeof(record)) > 0)
        be_silent(s, ssl);
}

void serve_root(struct server *s, SSL *ssl)
{
    static const char reply[] = "\0\0\0\21\0\x02\x11\x50\x11\x54\x12\x08\x0e\x06"
                                "a.Root"
                                "\x53\x57\n";
    char heard[64];
    int n = SSL_read(ssl, heard, sizeof(heard));

    if (n > 0 && SSL_write(ssl, reply, sizeof(reply) - 1) > 0)
        echo(s, ssl);
}

const struct rpyc_tls trusting_ca = {.ca_file = "ca.pem"};

void assert_echoes(struct stream *c, const char *text)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t len = strlen(text), got = 0;
    char back[64];

    assert_ok(stream_send(c, text, len, SOON, &err), &err);
    while (got < len) {
        ssize_t n = stream_receive(c, back + got, sizeof(back) - got, SOON, &err);

        if (n <= 0)
            fail_msg("%zd: %s", n, err.text);
        got += (size_t)n;
    }
    assert_int_equal(got, len);
    assert_memory_equal(back, text, len);
}

void assert_connects(struct server *s, const struct rpyc_tls *options, const char *host)
{
    AUTO_STREAM c = server_start(s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, options, host, SOON, &err), &err);
    assert_non_null(c.tls);
    assert_echoes(&c, "ping");
    assert_echoes(&c, "and pong");
    assert_int_equal(err.code, RPYC_OK);
    stream_close(&c);
    server_end(s);
    assert_true(s->shook);
}

void assert_refuses(struct server *s, const struct rpyc_tls *options, const char *host,
                    const char *why)
{
    AUTO_STREAM c = server_start(s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(tls_connect(&c, options, host, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, why);
    assert_null(c.tls);
    stream_close(&c);
    server_end(s);
}

struct stream alone(struct peer *p)
{
    struct stream c;

    stream_open(&c, peer_open(p));
    return c;
}

void assert_bad_options(const struct rpyc_tls *options, const char *host, enum rpyc_errcode code,
                        const char *why)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct peer p;
    AUTO_STREAM c = alone(&p);

    assert_int_equal(tls_connect(&c, options, host, SOON, &err), -1);
    assert_error(&err, code, why);
    assert_int_equal(tls_connect(&c, options, host, SOON, NULL), -1);
    hears_no_more(&p);
    assert_null(c.tls);
    peer_close(&p);
}

struct stream connected(struct server *s, void (*talk)(struct server *, SSL *))
{
    struct stream c = server_start(s, talk);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    return c;
}

void disconnect(struct stream *c, struct server *s)
{
    stream_close(c);
    server_end(s);
}
