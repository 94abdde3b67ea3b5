/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Certificates of the client, and the files that it reads.
 */
#include "openssl_server.h"

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
    AUTO_STREAM c = connected(&s, echo);
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "the server requires a client certificate");
    assert_int_equal(err.tls, RPYC_TLS_CLIENT_MISSING);
    server_end(&s);
    assert_false(s.shook);
}

TEST(sending_reports_a_missing_client_certificate)
{
    struct server s = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    server_demands_certificate(&s);
    AUTO_STREAM c = connected(&s, echo);
    server_end(&s);
    assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "the server requires a client certificate");
    assert_int_equal(err.tls, RPYC_TLS_CLIENT_MISSING);
}

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
