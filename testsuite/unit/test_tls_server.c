/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server's side of TLS: its files, versions, and its end.
 */
#include "tls_visitor.h"

#include <openssl/ssl.h>

#include "tls_library.h"

TEST(a_library_that_is_not_installed_is_named)
{
    struct tls_server_options o = plain_options();

    library_missing = true;
    assert_unusable(&o, "TLS needs librpyc-ssl.so.0: ");
    library_missing = false;
}

TEST(errors_name_the_unusable_file)
{
    const struct {
        struct tls_server_options options;
        const char *why;
    } cases[] = {
        {{.cert_file = "nowhere.pem"}, "cannot use the certificate nowhere.pem: "},
        {{.cert_file = "server.pem", .key_file = "client.key"}, "cannot use the key client.key: "},
        {{.cert_file = "server.pem", .key_file = "locked.key"}, "cannot use the key locked.key: "},
        {{.cert_file = "server.pem",
          .key_file = "server.key",
          .ca_file = "empty.pem",
          .client_cert = TLS_CLIENT_CERT_REQUIRED},
         "cannot use the CA file empty.pem: "},
        {{.cert_file = "server.pem", .key_file = "server.key", .ciphers = "NONSENSE"},
         "cannot use the ciphers NONSENSE: "},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_unusable(&cases[i].options, cases[i].why);
}

TEST(a_file_may_contain_both_certificate_and_key)
{
    struct tls_server_options o = {.cert_file = "both.pem"};

    tls_server_free(new_server(&o));
    tls_server_free(NULL);
}

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
    echo_hello(&b);
    echo_hello(&a);
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
