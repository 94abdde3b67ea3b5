/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Handshakes of the client.
 */
#include "openssl_server.h"

#include "tls_library.h"

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
    assert_bad_options(
        &trusting_ca, NULL, RPYC_EINVAL,
        "TLS needs the name that the server's certificate must have: set server_name");
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
