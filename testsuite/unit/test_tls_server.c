/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server's side of TLS, with librpyc's client in another thread, or with OpenSSL's client for
 * what librpyc's cannot do.
 */
#include "unit.h"

#include <openssl/ssl.h>

#include "identities.h"
#include "rpyc.h"
#include "tls.h"
#include "tls_library.h"

#define AUTO_STREAM     _cleanup_(stream_close) struct stream
#define AUTO_TLS_SERVER _cleanup_(free_tls_server) struct tls_server

/* Long enough for what must succeed. */
#define SOON deadline_in(60000)

static void free_tls_server(struct tls_server **made)
{
    tls_server_free(*made);
}

/* ---- A client ------------------------------------------------------------------------------- */

/* A client in another thread that connects, sends hello, and waits for the end. */
struct visitor {
    struct thread thread;
    struct rpyc_tls options;
    int max_version; /* 0: use librpyc's client; else the highest version for OpenSSL's client */
    struct stream stream;
    int version;    /* of TLS, with OpenSSL's client */
    bool connected; /* the result */
};

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

/* Starts the client; returns the server's end of the socket pair. */
static struct stream start_visitor(struct visitor *v)
{
    struct stream s;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    stream_open(&v->stream, fds[1]);
    thread_start(&v->thread, v->max_version ? visit_with_openssl : visit, v);
    return s;
}

/* ---- Servers -------------------------------------------------------------------------------- */

static struct tls_server_options plain_options(void)
{
    return (struct tls_server_options){.cert_file = "server.pem", .key_file = "server.key"};
}

static struct tls_server_options demanding_options(void)
{
    struct tls_server_options o = plain_options();

    o.ca_file = "ca.pem";
    o.client_cert = TLS_CLIENT_CERT_REQUIRED;
    return o;
}

static struct tls_server *new_server(const struct tls_server_options *options)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct tls_server *made = NULL;

    assert_ok(tls_server_new(&made, options, &err), &err);
    return made;
}

static void echo(struct stream *s)
{
    char text[16];
    ssize_t n = stream_receive(s, text, sizeof(text), SOON, NULL);

    if (n > 0)
        assert_int_equal(stream_send(s, text, (size_t)n, SOON, NULL), 0);
}

/* Checks that a server accepts the client. Returns the client's certificate as DER. */
static struct bytes assert_accepts(struct tls_server *made, struct visitor *v)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM s = start_visitor(v);
    struct bytes der;

    assert_ok(tls_accept(&s, made, SOON, &err), &err);
    echo(&s);
    assert_int_equal(tls_peer_cert(&s, &der.data, &der.len), 0);
    thread_join(&v->thread);
    assert_true(v->connected);
    return der;
}

/* Checks that a server with these options accepts the client. */
static struct bytes assert_lets_in(const struct tls_server_options *options, struct visitor *v)
{
    AUTO_TLS_SERVER *made = new_server(options);

    return assert_accepts(made, v);
}

/* Checks that a server with these options refuses the client, and the reason. */
static void assert_refuses(struct tls_server *made, struct visitor *v, const char *why)
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

static void assert_options_refuse(const struct tls_server_options *options, struct visitor *v,
                                  const char *why)
{
    AUTO_TLS_SERVER *made = new_server(options);

    assert_refuses(made, v, why);
}

static void assert_unusable(const struct tls_server_options *options, const char *why)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct tls_server *made = NULL;

    assert_int_equal(tls_server_new(&made, options, &err), -1);
    assert_error(&err, RPYC_ETLS, why);
    assert_int_equal(tls_server_new(&made, options, NULL), -1);
    assert_null(made);
}

/* ---- What it needs -------------------------------------------------------------------------- */

TEST(a_library_that_is_not_installed_is_named)
{
    struct tls_server_options o = plain_options();

    library_missing = true;
    assert_unusable(&o, "TLS needs librpyc-ssl.so.0: ");
    library_missing = false;
}

TEST(errors_name_the_unusable_file)
{
    struct tls_server_options o = plain_options();

    o.cert_file = "nowhere.pem";
    assert_unusable(&o, "cannot use the certificate nowhere.pem: ");
    o = plain_options();
    o.key_file = "client.key";
    assert_unusable(&o, "cannot use the key client.key: ");
    o = plain_options();
    o.key_file = "locked.key";
    assert_unusable(&o, "cannot use the key locked.key: ");
    o = demanding_options();
    o.ca_file = "empty.pem";
    assert_unusable(&o, "cannot use the CA file empty.pem: ");
    o = plain_options();
    o.ciphers = "NONSENSE";
    assert_unusable(&o, "cannot use the ciphers NONSENSE: ");
}

TEST(a_file_may_contain_both_certificate_and_key)
{
    struct tls_server_options o = {.cert_file = "both.pem"};

    tls_server_free(new_server(&o));
    tls_server_free(NULL);
}

/* ---- Who is let in -------------------------------------------------------------------------- */

TEST(a_client_needs_no_certificate_by_default)
{
    struct visitor v = {.options = {.ca_file = "ca.pem"}};
    struct tls_server_options o = plain_options();
    AUTO_BYTES der = assert_lets_in(&o, &v);

    assert_null(der.data);
    assert_int_equal(der.len, 0);
}

TEST(a_certificate_that_is_asked_for_is_known_afterwards)
{
    const enum tls_client_cert kinds[] = {TLS_CLIENT_CERT_WELCOME, TLS_CLIENT_CERT_REQUIRED};
    struct tls_server_options o = demanding_options();
    unsigned char *expected = NULL;
    int len = i2d_X509(client.cert, &expected);
    size_t i;

    for (i = 0; i < 2; i++) {
        struct visitor v = {.options = {.ca_file = "ca.pem", .cert_file = "both.pem"}};

        o.client_cert = kinds[i];
        AUTO_BYTES der = assert_lets_in(&o, &v);
        assert_int_equal(der.len, len);
        assert_memory_equal(der.data, expected, der.len);
    }
    OPENSSL_free(expected);
}

TEST(a_client_without_a_required_certificate_is_refused)
{
    struct visitor v = {.options = {.ca_file = "ca.pem"}};
    struct tls_server_options o = demanding_options();

    assert_options_refuse(&o, &v, "the client sent no certificate");
}

TEST(a_client_without_an_optional_certificate_is_accepted)
{
    struct visitor v = {.options = {.ca_file = "ca.pem"}};
    struct tls_server_options o = demanding_options();

    o.client_cert = TLS_CLIENT_CERT_WELCOME;
    AUTO_BYTES der = assert_lets_in(&o, &v);
    assert_null(der.data);
}

TEST(a_certificate_that_is_no_good_keeps_a_client_out)
{
    const enum tls_client_cert kinds[] = {TLS_CLIENT_CERT_WELCOME, TLS_CLIENT_CERT_REQUIRED};
    struct tls_server_options o = demanding_options();
    size_t i;

    for (i = 0; i < 2; i++) {
        struct rpyc_tls old = {
            .ca_file = "ca.pem", .cert_file = "expired.pem", .key_file = "expired.key"};
        struct rpyc_tls strange = {
            .ca_file = "ca.pem", .cert_file = "stranger.pem", .key_file = "stranger.key"};
        struct visitor one = {.options = old}, other = {.options = strange};

        o.client_cert = kinds[i];
        assert_options_refuse(&o, &one,
                              "the client's certificate is not accepted: certificate has expired");
        assert_options_refuse(&o, &other,
                              "the client's certificate is not accepted: unable to get");
    }
}

TEST(a_client_that_rejects_the_server_is_reported)
{
    struct visitor v = {.options = {.ca_file = "other-ca.pem"}};
    struct tls_server_options o = plain_options();

    assert_options_refuse(&o, &v, "unknown ca");
}

/* ---- Whose certificates --------------------------------------------------------------------- */

static struct visitor known_visitor(const char *cert_file)
{
    return (struct visitor){.options = {.ca_file = "ca.pem", .cert_file = cert_file}};
}

TEST(a_client_is_let_in_by_its_common_name_or_its_whole_subject)
{
    const char *const lists[][3] = {
        {"a client"}, {"CN=a client"}, {"another", "a client"}, {"O=x", "CN=a client"}};
    struct tls_server_options o = demanding_options();
    size_t i;

    for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        struct visitor v = known_visitor("both.pem");

        o.subjects = lists[i];
        AUTO_BYTES der = assert_lets_in(&o, &v);
        assert_true(der.len > 0);
    }
}

TEST(a_client_that_is_in_no_list_is_kept_out)
{
    const char *const lists[][3] = {{NULL},           {"a clien"},       {"a client "},
                                    {"A client"},     {"CN=A client"},   {"cn=a client"},
                                    {"CN=a client,"}, {"x", "a server"}, {"CN=a client+O=x"}};
    struct tls_server_options o = demanding_options();
    size_t i;

    for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        struct visitor v = known_visitor("both.pem");

        o.subjects = lists[i];
        assert_options_refuse(
            &o, &v, "the client's certificate is for 'CN=a client', which is not allowed");
    }
}

TEST(a_client_that_shows_nothing_is_in_no_list)
{
    const char *const list[] = {"", "a client", NULL};
    struct visitor v = {.options = {.ca_file = "ca.pem"}};
    struct tls_server_options o = demanding_options();

    o.client_cert = TLS_CLIENT_CERT_WELCOME;
    o.subjects = list;
    assert_options_refuse(&o, &v, "the client's certificate is for '', which is not allowed");
}

/* Writes odd.pem, a certificate with these common names. */
static void write_odd(const char *const *names, const int *lengths, int n)
{
    struct identity odd = make_identity("x", &ca, 30, NULL);
    X509_NAME *subject = X509_get_subject_name(odd.cert);
    int i;

    X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
    for (i = 0; i < n; i++)
        assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                                    (const unsigned char *)names[i], lengths[i], -1,
                                                    0),
                         1);
    assert_true(X509_sign(odd.cert, ca.key, EVP_sha256()) > 0);
    write_pem("odd.pem", odd.cert, odd.key, NULL);
    free_identity(&odd);
}

static void assert_refuses_odd(const char *const *list, const char *why)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("odd.pem");

    o.subjects = list;
    assert_options_refuse(&o, &v, why);
}

static void assert_odd_is_let_in(const char *const *list)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("odd.pem");

    o.subjects = list;
    AUTO_BYTES der = assert_lets_in(&o, &v);
    assert_true(der.len > 0);
}

TEST(a_common_name_does_not_end_at_a_nul)
{
    const char *const list[] = {"alice", "CN=alice", "", NULL};

    write_odd((const char *[]){"alice\0evil"}, (int[]){10}, 1);
    assert_refuses_odd(list, "is for 'CN=alice\\00evil', which is not allowed");
    unlink("odd.pem");
}

TEST(a_common_name_that_looks_like_a_subject_is_no_subject)
{
    const char *const list[] = {"CN=alice,O=Example", NULL};
    const char *const escaped[] = {"CN=CN=alice\\,O=Example", NULL};

    write_odd((const char *[]){"CN=alice,O=Example"}, (int[]){18}, 1);
    assert_refuses_odd(list, "which is not allowed");
    assert_odd_is_let_in(escaped);
    unlink("odd.pem");
}

TEST(the_last_of_several_common_names_is_used)
{
    const char *const first[] = {"alice", NULL}, *const last[] = {"bob", NULL};

    write_odd((const char *[]){"alice", "bob"}, (int[]){5, 3}, 2);
    assert_refuses_odd(first, "is for 'CN=bob,CN=alice', which is not allowed");
    assert_odd_is_let_in(last);
    unlink("odd.pem");
}

TEST(a_subject_without_a_common_name_has_none)
{
    const char *const list[] = {"", "x", NULL};

    write_odd(NULL, NULL, 0);
    assert_refuses_odd(list, "is for '', which is not allowed");
    unlink("odd.pem");
}

/* ---- What was revoked ----------------------------------------------------------------------- */

TEST(a_certificate_that_was_revoked_is_no_good)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem"), other = v;

    o.crl_file = "crl.pem";
    assert_options_refuse(&o, &v, "the client's certificate is not accepted: certificate revoked");
    o.crl_file = "empty-crl.pem";
    AUTO_BYTES der = assert_lets_in(&o, &other);
    assert_true(der.len > 0);
}

TEST(a_list_that_cannot_be_used_is_named)
{
    struct tls_server_options o = demanding_options();

    o.crl_file = "nowhere.pem";
    assert_unusable(&o, "cannot use the list of revoked certificates nowhere.pem: ");
    o.crl_file = "empty.pem";
    assert_unusable(&o, "cannot use the list of revoked certificates empty.pem: ");
    o.crl_file = "ca.pem";
    assert_unusable(&o, "cannot use the list of revoked certificates ca.pem: ");
}

/* ---- Files that change ---------------------------------------------------------------------- */

/* Replaces a file by a copy of another one, atomically. */
static void replace(const char *name, const char *by)
{
    char command[200];

    snprintf(command, sizeof(command), "cp %s new && mv new %s", by, name);
    assert_int_equal(system(command), 0);
}

#define REVOKED "the client's certificate is not accepted: certificate revoked"

TEST(files_that_have_changed_are_read_again)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem"), again = v, at_last = v;

    o.crl_file = "list.pem";
    replace("list.pem", "empty-crl.pem");
    {
        AUTO_TLS_SERVER *made = new_server(&o);
        AUTO_BYTES der = assert_accepts(made, &v);

        assert_int_equal(tls_server_renew(made, NULL), 0);
        replace("list.pem", "crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        assert_int_equal(tls_server_renew(made, NULL), 0);
        assert_refuses(made, &again, REVOKED);
        replace("list.pem", "empty-crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        AUTO_BYTES der_at_last = assert_accepts(made, &at_last);
        assert_true(der.len > 0 && der_at_last.len == der.len);
    }
}

TEST(the_old_files_stay_in_use_while_the_new_ones_are_invalid)
{
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem"), again = v;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    o.crl_file = "list.pem";
    replace("list.pem", "crl.pem");
    {
        AUTO_TLS_SERVER *made = new_server(&o);
        int i;

        replace("list.pem", "ca.pem");
        for (i = 0; i < 2; i++) {
            assert_int_equal(tls_server_renew(made, &err), -1);
            assert_error(&err, RPYC_ETLS, "cannot use the list of revoked certificates list.pem: ");
        }
        assert_refuses(made, &v, REVOKED);
        assert_int_equal(unlink("list.pem"), 0);
        assert_int_equal(tls_server_renew(made, &err), -1);
        assert_error(&err, RPYC_ETLS, "cannot use the list of revoked certificates list.pem: ");
        replace("list.pem", "crl.pem");
        assert_int_equal(tls_server_renew(made, NULL), 1);
        assert_refuses(made, &again, REVOKED);
    }
}

TEST(the_options_of_a_server_need_not_stay)
{
    char name[] = "a client", list[] = "empty-crl.pem";
    const char *names[] = {name, NULL};
    struct tls_server_options o = demanding_options();
    struct visitor v = known_visitor("both.pem");

    o.subjects = names;
    o.crl_file = list;
    {
        AUTO_TLS_SERVER *made = new_server(&o);

        memset(name, 'x', strlen(name));
        memset(list, 'x', strlen(list));
        names[0] = NULL;
        assert_int_equal(tls_server_renew(made, NULL), 0);
        AUTO_BYTES der = assert_accepts(made, &v);
        assert_true(der.len > 0);
    }
}

/* ---- Versions ------------------------------------------------------------------------------- */

TEST(tls_1_2_and_1_3_are_spoken_and_nothing_older)
{
    struct tls_server_options o = plain_options();
    struct visitor new = {.max_version = TLS1_3_VERSION}, old = {.max_version = TLS1_2_VERSION};
    struct visitor ancient = {.max_version = TLS1_1_VERSION};

    assert_null(assert_lets_in(&o, &new).data);
    assert_int_equal(new.version, TLS1_3_VERSION);
    assert_null(assert_lets_in(&o, &old).data);
    assert_int_equal(old.version, TLS1_2_VERSION);
    assert_options_refuse(&o, &ancient, "TLS: ");
}

TEST(tls_1_2_alone_is_spoken_where_that_is_asked_for)
{
    struct tls_server_options o = plain_options();
    struct visitor v = {.max_version = TLS1_3_VERSION};

    o.only_tls_1_2 = true;
    o.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
    assert_null(assert_lets_in(&o, &v).data);
    assert_int_equal(v.version, TLS1_2_VERSION);
}

/* ---- Peers that are not TLS clients --------------------------------------------------------- */

/* Returns the error for a peer that sends only this. */
static void assert_accept_fails(const char *text, bool hang_up, enum rpyc_errcode code,
                                const char *why)
{
    struct tls_server_options o = plain_options();
    AUTO_TLS_SERVER *made = new_server(&o);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM s = STREAM_INIT;
    AUTO_FD theirs = -1;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    theirs = fds[1];
    assert_int_equal(write(theirs, text, strlen(text)), strlen(text));
    if (hang_up)
        close_fd(&theirs);
    assert_int_equal(tls_accept(&s, made, deadline_in(100), &err), -1);
    assert_error(&err, code, why);
}

TEST(a_client_that_does_not_speak_tls_is_named)
{
    assert_accept_fails("GET / HTTP/1.0\r\n\r\n", false, RPYC_ETLS, "does not speak TLS");
    assert_accept_fails("not TLS, not HTTP", false, RPYC_ETLS, "the client does not speak TLS");
}

TEST(a_client_that_says_nothing_is_given_up_at_the_deadline)
{
    assert_accept_fails("", false, RPYC_ETIMEOUT, "timed out");
    assert_accept_fails("\x16\x03\x01", false, RPYC_ETIMEOUT, "timed out");
}

TEST(a_client_that_hangs_up_is_reported)
{
    assert_accept_fails("", true, RPYC_ECLOSED, "hung up during the TLS handshake");
    assert_accept_fails("\x16\x03\x01", true, RPYC_ECLOSED, "hung up during the TLS handshake");
}

/* ---- Lifetime ------------------------------------------------------------------------------- */

TEST(connections_go_on_without_their_server)
{
    struct visitor one = {.options = {.ca_file = "ca.pem"}}, other = one;
    struct tls_server_options o = plain_options();
    struct tls_server *made = new_server(&o);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_STREAM a = start_visitor(&one);
    AUTO_STREAM b = start_visitor(&other);

    assert_ok(tls_accept(&a, made, SOON, &err), &err);
    assert_ok(tls_accept(&b, made, SOON, &err), &err);
    tls_server_free(made);
    echo(&b);
    echo(&a);
    thread_join(&one.thread);
    thread_join(&other.thread);
    assert_true(one.connected && other.connected);
}

TEST(a_stream_without_tls_has_no_certificate)
{
    struct stream s = STREAM_INIT;
    struct bytes der;

    assert_int_equal(tls_peer_cert(&s, &der.data, &der.len), 0);
    assert_null(der.data);
    assert_int_equal(der.len, 0);
}
