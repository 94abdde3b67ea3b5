/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams and connections over TLS, with OpenSSL's server in another thread. The certificates are
 * made here.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "identities.h"
#include "rpyc.h"
#include "tls.h"
#include "tls_library.h"

#define AUTO_STREAM _cleanup_(stream_close) struct stream

/* Long enough for what must succeed. */
#define SOON deadline_in(60000)

/* ---- A server ------------------------------------------------------------------------------- */

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

/* Makes a server with this certificate. */
static struct server server_make(const struct identity *who)
{
    struct server s = {.ctx = SSL_CTX_new(TLS_server_method()), .fd = -1, .listener = -1};

    assert_int_equal(SSL_CTX_use_certificate(s.ctx, who->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, who->key), 1);
    return s;
}

/* Makes the server ask clients for a certificate of the tests' CA. */
static void server_demands_certificate(struct server *s)
{
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), ca.cert), 1);
}

static void server_only_speaks(struct server *s, int version)
{
    assert_int_equal(SSL_CTX_set_min_proto_version(s->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(s->ctx, version), 1);
}

/* Starts the server at one end of a socket pair; returns the other end. */
static int server_start_fd(struct server *s, void (*talk)(struct server *, SSL *))
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s->fd = fds[1];
    s->talk = talk;
    thread_start(&s->thread, run_server, s);
    return fds[0];
}

static struct stream server_start(struct server *s, void (*talk)(struct server *, SSL *))
{
    struct stream c;

    stream_open(&c, server_start_fd(s, talk));
    return c;
}

static void server_start_tcp(struct server *s, void (*talk)(struct server *, SSL *))
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

/* Waits for the end of the server, which ends at the latest when the client hangs up. */
static void server_end(struct server *s)
{
    thread_join(&s->thread);
    SSL_CTX_free(s->ctx);
    close_fd(&s->listener);
}

/* ---- What servers do after the handshake ---------------------------------------------------- */

static uint8_t pattern(size_t i)
{
    return (uint8_t)(((uint32_t)i * 2654435761u) >> 24);
}

static struct bytes patterned(size_t n)
{
    struct bytes b = {malloc(n), n};
    size_t i;

    for (i = 0; i < n; i++)
        b.data[i] = pattern(i);
    return b;
}

static void echo(struct server *s, SSL *ssl)
{
    char bytes[4096];
    int n;

    (void)s;
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0 && SSL_write(ssl, bytes, n) == n)
        ;
}

/* Echoes, with new keys for each piece. */
static void echo_with_new_keys(struct server *s, SSL *ssl)
{
    char bytes[4096];
    int n;

    (void)s;
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0 &&
           SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_write(ssl, bytes, n) == n)
        ;
}

/* Reads nothing until `go` is set, then everything. */
static void sink(struct server *s, SSL *ssl)
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

/* Sends and reads nothing until the client hangs up. */
static void be_silent(struct server *s, SSL *ssl)
{
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};

    (void)ssl;
    poll(&p, 1, 20000);
}

static void hang_up(struct server *s, SSL *ssl)
{
    (void)s;
    (void)ssl;
}

static void say_goodbye(struct server *s, SSL *ssl)
{
    (void)s;
    SSL_shutdown(ssl);
}

/* Sends a record that was not made with the session's keys. */
static void forge(struct server *s, SSL *ssl)
{
    static const char record[5 + 40] = {0x17, 3, 3, 0, 40};

    if (write(s->fd, record, sizeof(record)) > 0)
        be_silent(s, ssl);
}

/* Answers the first request, GETROOT of generation 6. */
static void serve_root(struct server *s, SSL *ssl)
{
    static const char reply[] = "\0\0\0\21\0\x02\x11\x50\x11\x54\x12\x08\x0e\x06"
                                "a.Root"
                                "\x53\x57\n";
    char heard[64];
    int n = SSL_read(ssl, heard, sizeof(heard));

    if (n > 0 && SSL_write(ssl, reply, sizeof(reply) - 1) > 0)
        echo(s, ssl);
}

/* ---- What clients do ------------------------------------------------------------------------ */

static const struct rpyc_tls trusting_ca = {.ca_file = "ca.pem"};

static void assert_echoes(struct stream *c, const char *text)
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

/* Checks that a handshake with this server succeeds and that bytes go both ways. */
static void assert_connects(struct server *s, const struct rpyc_tls *options, const char *host)
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

/* Checks that this server is refused, and the reason. */
static void assert_refuses(struct server *s, const struct rpyc_tls *options, const char *host,
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

/* A stream whose other end the test holds. */
static struct stream alone(struct peer *p)
{
    struct stream c;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&c, fds[0]);
    p->fd = fds[1];
    return c;
}

/* Checks that options are refused before anything is sent. */
static void assert_bad_options(const struct rpyc_tls *options, const char *host,
                               enum rpyc_errcode code, const char *why)
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

/* ---- The library is found ------------------------------------------------------------------- */

TEST(a_library_that_is_not_installed_is_named)
{
    library_missing = true;
    assert_bad_options(&trusting_ca, "server.test", RPYC_ETLS,
                       "TLS needs librpyc-ssl.so.0: /nonexistent/ssl.so: ");
    library_missing = false;
}

TEST(a_library_of_another_version_is_not_used)
{
    const struct stream_tls other = {.version = TLS_VERSION + 1};
    const char *why = "librpyc-ssl.so.0 does not belong to this version of librpyc";

    library_replaced = true;
    other_library = &other;
    assert_bad_options(&trusting_ca, "server.test", RPYC_ETLS, why);
    other_library = NULL;
    assert_bad_options(&trusting_ca, "server.test", RPYC_ETLS, why);
    library_replaced = false;
}

/* ---- Handshakes ----------------------------------------------------------------------------- */

TEST(tls_1_2_and_1_3_are_spoken)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct server s = server_make(&server);

        server_only_speaks(&s, versions[i]);
        assert_connects(&s, &trusting_ca, "server.test");
        assert_int_equal(s.version, versions[i]);
    }
}

TEST(the_best_that_both_speak_is_spoken)
{
    struct server s = server_make(&server);

    assert_connects(&s, &trusting_ca, "server.test");
    assert_int_equal(s.version, TLS1_3_VERSION);
}

TEST(a_server_without_a_common_cipher_is_an_error)
{
    struct server s = server_make(&server);

    /* these need an RSA key */
    server_only_speaks(&s, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(s.ctx, "AES128-GCM-SHA256"), 1);
    assert_refuses(&s, &trusting_ca, "server.test", "alert handshake failure");
    assert_false(s.shook);
}

TEST(the_name_of_the_server_is_told_to_it)
{
    const struct rpyc_tls named = {.ca_file = "ca.pem", .server_name = "server.test"};
    struct server s = server_make(&server), t = server_make(&server), u = server_make(&server);

    assert_connects(&s, &trusting_ca, "server.test");
    assert_string_equal(s.sni, "server.test");
    assert_connects(&t, &named, "127.0.0.1");
    assert_string_equal(t.sni, "server.test");
    assert_connects(&u, &named, NULL);
    assert_string_equal(u.sni, "server.test");
}

TEST(an_address_is_checked_and_not_told)
{
    const char *addresses[] = {"127.0.0.1", "::1"};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct server s = server_make(&server);

        assert_connects(&s, &trusting_ca, addresses[i]);
        assert_string_equal(s.sni, "none");
    }
}

TEST(a_certificate_of_another_name_is_not_accepted)
{
    const struct rpyc_tls named = {.ca_file = "ca.pem", .server_name = "server.test.example"};
    struct server s = server_make(&server), t = server_make(&server), u = server_make(&server);
    char why[128];

    /* In OpenSSL 1.1.1 the text begins with a capital letter. */
    snprintf(why, sizeof(why), "the server's certificate is not accepted: %s",
             X509_verify_cert_error_string(X509_V_ERR_HOSTNAME_MISMATCH));
    assert_refuses(&s, &trusting_ca, "other.test", why);
    assert_refuses(&t, &named, "server.test", why);
    assert_refuses(&u, &trusting_ca, "127.0.0.2",
                   "the server's certificate is not accepted: IP address mismatch");
    assert_false(s.shook && s.version == TLS1_2_VERSION);
}

TEST(a_certificate_of_another_ca_is_not_accepted)
{
    const struct rpyc_tls trusting_other = {.ca_file = "other-ca.pem"};
    struct server s = server_make(&server), t = server_make(&stranger), u = server_make(&stranger);

    assert_refuses(&s, &trusting_other, "server.test",
                   "the server's certificate is not accepted: unable to get local issuer");
    assert_refuses(&t, &trusting_ca, "server.test",
                   "the server's certificate is not accepted: unable to get local issuer");
    assert_connects(&u, &trusting_other, "server.test");
}

TEST(a_certificate_that_has_expired_is_not_accepted)
{
    struct server s = server_make(&expired);

    assert_refuses(&s, &trusting_ca, "server.test",
                   "the server's certificate is not accepted: certificate has expired");
}

TEST(whom_the_system_trusts_is_trusted_where_no_ca_is_given)
{
    const struct rpyc_tls options = {0};
    struct server s = server_make(&server), t = server_make(&server);

    setenv("SSL_CERT_FILE", "other-ca.pem", 1);
    assert_refuses(&s, &options, "server.test",
                   "the server's certificate is not accepted: unable to get local issuer");
    setenv("SSL_CERT_FILE", "ca.pem", 1);
    assert_connects(&t, &options, "server.test");
    unsetenv("SSL_CERT_FILE");
}

TEST(any_certificate_is_taken_where_nothing_is_verified)
{
    const struct rpyc_tls options = {.insecure_no_verify = true};
    /* the CA is ignored then, even if its file is missing */
    const struct rpyc_tls with_ca = {.insecure_no_verify = true, .ca_file = "missing.pem"};
    struct server s = server_make(&stranger), t = server_make(&expired), u = server_make(&server);

    assert_connects(&s, &options, "other.test");
    assert_string_equal(s.sni, "other.test");
    assert_connects(&t, &with_ca, "127.0.0.2");
    assert_connects(&u, &options, NULL);
    assert_string_equal(u.sni, "none");
}

TEST(a_server_whose_name_is_not_known_cannot_be_verified)
{
    assert_bad_options(&trusting_ca, NULL, RPYC_EINVAL,
                       "TLS needs the server's name to check: server_name");
}

TEST(a_name_that_no_server_can_have_is_refused)
{
    const struct rpyc_tls empty = {.ca_file = "ca.pem", .server_name = ""};
    char name[300];

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_bad_options(&empty, "server.test", RPYC_ETLS, "TLS: '' is not a valid server name");
    assert_bad_options(&trusting_ca, name, RPYC_ETLS, "TLS: 'xxxx");
}

/* ---- Certificates of the client ------------------------------------------------------------- */

TEST(the_clients_certificate_is_shown_to_a_server_that_asks)
{
    const struct rpyc_tls two = {
        .ca_file = "ca.pem", .cert_file = "client.pem", .key_file = "client.key"};
    const struct rpyc_tls one = {.ca_file = "ca.pem", .cert_file = "both.pem"};
    const struct rpyc_tls *options[] = {&two, &one};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    size_t i;

    for (i = 0; i < 4; i++) {
        struct server s = server_make(&server);

        server_demands_certificate(&s);
        server_only_speaks(&s, versions[i / 2]);
        assert_connects(&s, options[i % 2], "server.test");
        assert_string_equal(s.client, "a client");
    }
}

TEST(the_clients_certificate_is_not_shown_unasked)
{
    const struct rpyc_tls options = {.ca_file = "ca.pem", .cert_file = "both.pem"};
    struct server s = server_make(&server);

    assert_connects(&s, &options, "server.test");
    assert_string_equal(s.client, "");
}

TEST(a_missing_client_certificate_breaks_the_handshake_of_tls_1_2)
{
    struct server s = server_make(&server);

    server_demands_certificate(&s);
    server_only_speaks(&s, TLS1_2_VERSION);
    assert_refuses(&s, &trusting_ca, "server.test", "alert handshake failure");
    assert_false(s.shook);
}

/* In TLS 1.3 the client's handshake ends before the server checks the client's certificate. */
TEST(receiving_reports_a_missing_client_certificate)
{
    struct server s = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    server_demands_certificate(&s);
    AUTO_STREAM c = server_start(&s, echo);
    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "the server requires a client certificate");
    server_end(&s);
    assert_false(s.shook);
}

TEST(sending_reports_a_missing_client_certificate)
{
    struct server s = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    server_demands_certificate(&s);
    AUTO_STREAM c = server_start(&s, echo);
    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    server_end(&s);
    assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "the server requires a client certificate");
}

/* ---- Files ---------------------------------------------------------------------------------- */

TEST(a_file_that_cannot_be_used_is_named)
{
    const struct {
        struct rpyc_tls options;
        const char *why;
    } cases[] = {
        {{.ca_file = "missing.pem"}, "TLS: cannot use the CA file missing.pem: "},
        {{.ca_file = "empty.pem"}, "TLS: cannot use the CA file empty.pem: "},
        {{.ca_file = "client.key"}, "TLS: cannot use the CA file client.key: "},
        {{.ca_file = "ca.pem", .cert_file = "missing.pem"},
         "TLS: cannot use the certificate missing.pem: "},
        {{.ca_file = "ca.pem", .cert_file = "empty.pem"},
         "TLS: cannot use the certificate empty.pem: "},
        {{.ca_file = "ca.pem", .cert_file = "client.pem", .key_file = "missing.key"},
         "TLS: cannot use the key missing.key: "},
        {{.ca_file = "ca.pem", .cert_file = "client.pem"}, "TLS: cannot use the key client.pem: "},
        {{.ca_file = "ca.pem", .cert_file = "ca.pem", .key_file = "client.key"},
         "TLS: cannot use the key client.key: key values mismatch"},
        {{.insecure_no_verify = true, .cert_file = "missing.pem"},
         "TLS: cannot use the certificate missing.pem: "},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_bad_options(&cases[i].options, "server.test", RPYC_ETLS, cases[i].why);
}

/* A passphrase is never read from the terminal or from standard input: the bytes that are ready
 * there would decrypt the key. */
TEST(a_key_with_a_passphrase_is_refused_without_a_question)
{
    const struct rpyc_tls options = {
        .ca_file = "ca.pem", .cert_file = "client.pem", .key_file = "locked.key"};
    AUTO_FD saved = dup(STDIN_FILENO);
    char left[8];
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(fds[1], "secret\n", 7), 7);
    dup2(fds[0], STDIN_FILENO);
    assert_bad_options(&options, "server.test", RPYC_ETLS, "TLS: cannot use the key locked.key: ");
    assert_int_equal(read(STDIN_FILENO, left, sizeof(left)), 7);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO);
    else
        close(STDIN_FILENO);
    close(fds[0]);
    close(fds[1]);
}

/* ---- Servers that do not do their part ------------------------------------------------------ */

TEST(a_handshake_gives_up_at_its_deadline)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct peer p;
    AUTO_STREAM c = alone(&p);
    int64_t start = clock_ms();

    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", deadline_in(40), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_true(clock_ms() - start >= 39);
    assert_true(clock_ms() - start < 5000);
    assert_null(c.tls);
    peer_close(&p);
}

TEST(a_server_that_does_not_speak_tls_is_an_error)
{
    const char *greetings[] = {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct peer p;
        AUTO_STREAM c = alone(&p);

        say_bytes(&p, greetings[i], strlen(greetings[i]));
        assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
        assert_error(&err, RPYC_ETLS, "the server does not speak TLS");
        peer_close(&p);
    }
}

TEST(a_server_that_is_gone_before_the_handshake_is_an_error)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct peer p;
    AUTO_STREAM c = alone(&p);

    peer_close(&p);
    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

/* Reads the first message of a handshake and hangs up. */
static void hear_hello_and_hang_up(void *arg)
{
    struct peer *p = arg;
    uint8_t header[5], byte;
    size_t len;

    if (recv(p->fd, header, sizeof(header), MSG_WAITALL) == sizeof(header))
        for (len = header[3] * 256u + header[4]; len > 0 && read(p->fd, &byte, 1) == 1; len--)
            ;
    peer_close(p);
}

/* Hangs up without reading a message, which resets the connection. */
static void reset(void *arg)
{
    struct peer *p = arg;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};

    poll(&ready, 1, 20000);
    peer_close(p);
}

TEST(a_server_that_hangs_up_during_the_handshake_is_an_error)
{
    void (*const ways[])(void *) = {hear_hello_and_hang_up, reset};
    const char *why[] = {"the peer hung up during the TLS handshake",
                         "the peer closed the connection"};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct thread thread;
        struct peer p;
        AUTO_STREAM c = alone(&p);

        thread_start(&thread, ways[i], &p);
        assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
        assert_error(&err, RPYC_ECLOSED, why[i]);
        assert_null(c.tls);
        thread_join(&thread);
    }
}

TEST(a_socket_that_is_not_connected_is_an_error)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM c;

    stream_open(&c, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "TLS: ");
    assert_int_equal(err.sys_errno, ENOTCONN);
}

/* ---- Streams -------------------------------------------------------------------------------- */

TEST(the_end_is_the_end_with_a_goodbye_and_without)
{
    void (*const ways[])(struct server *, SSL *) = {hang_up, say_goodbye};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    size_t i;

    for (i = 0; i < 4; i++) {
        struct server s = server_make(&server);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char byte;

        server_only_speaks(&s, versions[i / 2]);
        AUTO_STREAM c = server_start(&s, ways[i % 2]);
        assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
        assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), 0);
        assert_int_equal(stream_receive(&c, &byte, 1, DEADLINE_NEVER, NULL), 0);
        assert_int_equal(err.code, RPYC_OK);
        server_end(&s);
        assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
        assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
    }
}

TEST(sending_to_a_peer_that_hung_up_is_an_error)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, hang_up);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    server_end(&s);
    assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

TEST(a_forged_record_is_an_error)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, forge);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "TLS: "); /* OpenSSL's text differs */
    stream_close(&c);
    server_end(&s);
}

TEST(keys_may_change_on_the_way)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, echo_with_new_keys);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int i;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    for (i = 0; i < 5; i++)
        assert_echoes(&c, "under which key?");
    stream_close(&c);
    server_end(&s);
}

TEST(receiving_gives_up_at_its_deadline_and_goes_on_later)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    assert_int_equal(stream_receive(&c, &byte, 1, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_echoes(&c, "still there");
    stream_close(&c);
    server_end(&s);
}

TEST(a_signal_interrupts_receiving_and_not_the_stream)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;
    char byte;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_receive(&c, &byte, 1, DEADLINE_NEVER, &err), -1);
    nagger_stop(&n);
    assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
    assert_echoes(&c, "still there");
    stream_close(&c);
    server_end(&s);
}

TEST(sending_to_a_peer_that_does_not_read_times_out)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, be_silent);
    AUTO_BYTES much = patterned(4 << 20);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    start = clock_ms();
    assert_int_equal(stream_send(&c, much.data, much.len, deadline_in(40), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_true(clock_ms() - start >= 39);
    assert_true(clock_ms() - start < 5000);
    stream_close(&c);
    server_end(&s);
}

/* One side of a stream, used by a thread of its own. */
struct side {
    struct thread thread;
    struct stream *stream;
    struct bytes bytes;
    ssize_t result;
    struct rpyc_error err;
};

static void send_side(void *arg)
{
    struct side *d = arg;

    d->result = stream_send(d->stream, d->bytes.data, d->bytes.len, DEADLINE_NEVER, &d->err);
}

static void receive_side(void *arg)
{
    struct side *d = arg;
    char byte;

    d->result = stream_receive(d->stream, &byte, 1, DEADLINE_NEVER, &d->err);
}

TEST(much_is_sent_to_a_slow_reader)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, sink);
    AUTO_BYTES much = patterned(8 << 20);
    struct side d = {.stream = &c, .bytes = much};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    thread_start(&d.thread, send_side, &d);
    thread_wait_asleep(&d.thread);
    atomic_store(&s.go, true);
    thread_join(&d.thread);
    assert_ok(d.result, &d.err);
    stream_close(&c);
    server_end(&s);
    assert_int_equal(s.received, much.len);
}

/* An echo that is not read blocks: the sending thread needs the receiving one. */
TEST(one_thread_sends_while_another_receives)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, echo);
    AUTO_BYTES much = patterned(4 << 20), back = {malloc(4 << 20), 0};
    struct side d = {.stream = &c, .bytes = much};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    thread_start(&d.thread, send_side, &d);
    while (back.len < much.len) {
        ssize_t n = stream_receive(&c, back.data + back.len, much.len - back.len, SOON, &err);

        if (n <= 0)
            fail_msg("%zd after %zu bytes: %s", n, back.len, err.text);
        back.len += (size_t)n;
    }
    thread_join(&d.thread);
    assert_ok(d.result, &d.err);
    assert_memory_equal(back.data, much.data, much.len);
    stream_close(&c);
    server_end(&s);
}

TEST(a_shutdown_wakes_a_receiving_thread)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, be_silent);
    struct side d = {.stream = &c, .result = -1};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    thread_start(&d.thread, receive_side, &d);
    thread_wait_asleep(&d.thread);
    stream_shutdown(&c);
    thread_join(&d.thread);
    assert_int_equal(d.result, 0);
    stream_close(&c);
    server_end(&s);
}

TEST(a_socket_that_was_closed_behind_our_back_is_left_alone)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = server_start(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int number = c.fd, fds[2];
    char byte;

    assert_ok(tls_connect(&c, &trusting_ca, "server.test", SOON, &err), &err);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(dup2(fds[0], number), number);
    server_end(&s);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    assert_int_equal(stream_send(&c, "y", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    stream_close(&c);
    assert_int_equal(read(number, &byte, 1), 1); /* it is still open, and nothing was read */
    assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
    close(number);
    close(fds[0]);
    close(fds[1]);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void assert_has_root(rpyc_conn *conn)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *root = NULL;

    assert_int_equal(rpyc_conn_generation(conn), RPYC_GENERATION_6);
    assert_ok(rpyc_root(conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    rpyc_unref(root);
    rpyc_close(conn);
}

TEST(rpyc_is_spoken_over_tls)
{
    const struct rpyc_tls named = {.ca_file = "ca.pem", .server_name = "server.test"};
    const struct rpyc_options with_fd = {.tls = &named, .generation = RPYC_GENERATION_6};
    const struct rpyc_options with_host = {.tls = &trusting_ca};
    struct server s = server_make(&server), t = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    assert_ok(rpyc_connect_fd(&conn, server_start_fd(&s, serve_root), &with_fd, &err), &err);
    assert_has_root(conn);
    server_end(&s);
    assert_string_equal(s.sni, "server.test");
    server_start_tcp(&t, serve_root);
    assert_ok(rpyc_connect_tcp(&conn, "127.0.0.1", t.port, &with_host, &err), &err);
    assert_has_root(conn);
    server_end(&t);
    assert_string_equal(t.sni, "none");
}

TEST(a_connection_over_tls_that_fails_says_where_to)
{
    const struct rpyc_tls trusting_other = {.ca_file = "other-ca.pem"};
    const struct rpyc_options options = {.tls = &trusting_other};
    struct server s = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    int before = open_fds();
    char text[128];

    server_start_tcp(&s, serve_root);
    assert_int_equal(rpyc_connect_tcp(&conn, "127.0.0.1", s.port, &options, &err), -1);
    snprintf(text, sizeof(text),
             "connected to 127.0.0.1:%s, but the server's certificate is not accepted: ", s.port);
    assert_error(&err, RPYC_ETLS, text);
    assert_null(conn);
    server_end(&s);
    assert_int_equal(open_fds(), before);
}

TEST(a_socket_is_taken_although_tls_fails)
{
    const struct rpyc_options options = {.tls = &trusting_ca, .generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer p;
    struct stream c = alone(&p);

    assert_int_equal(rpyc_connect_fd(&conn, c.fd, &options, &err), -1);
    assert_error(&err, RPYC_EINVAL, "TLS needs the server's name to check: server_name");
    assert_null(conn);
    hears_the_end(&p);
    peer_close(&p);
}
