/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls_visitor.h"

#include <openssl/ssl.h>

void free_tls_server(struct tls_server **made)
{
    tls_server_free(*made);
}

/* Sends hello and reads the echo. */
static bool exchange(struct stream *s)
{
    char text[5];
    size_t got = 0;
    ssize_t n;

    if (stream_send(s, "hello", 5, SOON, NULL) < 0)
        return false;
    while (got < sizeof(text) &&
           (n = stream_receive(s, text + got, sizeof(text) - got, SOON, NULL)) > 0)
        got += (size_t)n;
    return got == sizeof(text) && memcmp(text, "hello", sizeof(text)) == 0;
}

static void visit(void *arg)
{
    struct visitor *v = arg;

    v->connected = tls_connect(&v->stream, &v->options, "server.test", SOON, NULL) == 0 &&
                   exchange(&v->stream);
    stream_close(&v->stream);
}

static void visit_with_openssl(void *arg)
{
    struct visitor *v = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    char text[5];

    SSL_set_max_proto_version(ssl, v->max_version);
    SSL_set_fd(ssl, v->stream.fd);
    v->connected = SSL_connect(ssl) == 1 && SSL_write(ssl, "hello", 5) == 5 &&
                   SSL_read(ssl, text, sizeof(text)) == sizeof(text);
    v->version = SSL_version(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    stream_close(&v->stream);
}

struct stream start_visitor(struct visitor *v)
{
    struct stream s;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    stream_open(&v->stream, fds[1]);
    thread_start(&v->thread, v->max_version ? visit_with_openssl : visit, v);
    return s;
}

struct tls_server_options plain_options(void)
{
    return (struct tls_server_options){.cert_file = "server.pem", .key_file = "server.key"};
}

struct tls_server_options demanding_options(void)
{
    struct tls_server_options o = plain_options();

    o.ca_file = "ca.pem";
    o.client_cert = TLS_CLIENT_CERT_REQUIRED;
    return o;
}

struct tls_server *new_server(const struct tls_server_options *options)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct tls_server *made = NULL;

    assert_ok(tls_server_new(&made, options, &err), &err);
    return made;
}

void echo_hello(struct stream *s)
{
    char text[16];
    ssize_t n = stream_receive(s, text, sizeof(text), SOON, NULL);

    if (n > 0)
        assert_int_equal(stream_send(s, text, (size_t)n, SOON, NULL), 0);
}

struct bytes assert_accepts(struct tls_server *made, struct visitor *v)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM s = start_visitor(v);
    struct bytes der;

    assert_ok(tls_accept(&s, made, SOON, &err), &err);
    echo_hello(&s);
    assert_int_equal(tls_peer_cert(&s, &der.data, &der.len), 0);
    thread_join(&v->thread);
    assert_true(v->connected);
    return der;
}

struct bytes assert_lets_in(const struct tls_server_options *options, struct visitor *v)
{
    AUTO_TLS_SERVER *made = new_server(options);

    return assert_accepts(made, v);
}

void assert_refuses_visitor(struct tls_server *made, struct visitor *v, const char *why)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM s = start_visitor(v);

    assert_int_equal(tls_accept(&s, made, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, why);
    assert_null(s.tls);
    stream_close(&s);
    thread_join(&v->thread);
    assert_false(v->connected);
}

void assert_options_refuse(const struct tls_server_options *options, struct visitor *v,
                           const char *why)
{
    AUTO_TLS_SERVER *made = new_server(options);

    assert_refuses_visitor(made, v, why);
}

void assert_unusable(const struct tls_server_options *options, const char *why)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct tls_server *made = NULL;

    assert_int_equal(tls_server_new(&made, options, &err), -1);
    assert_error(&err, RPYC_ETLS, why);
    assert_int_equal(tls_server_new(&made, options, NULL), -1);
    assert_null(made);
}

struct visitor known_visitor(const char *cert_file)
{
    return (struct visitor){.options = {.ca_file = "ca.pem", .cert_file = cert_file}};
}
