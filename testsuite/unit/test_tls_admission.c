/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which clients the server accepts, by their certificates.
 */
#include "tls_visitor.h"

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
